"""Ticket numbers in big block letters, five rows high: A to Z and 0 to 9.

Textual's own digits know six letters. Blocks are drawn as coloured blanks, since the
block characters are two cells wide in some Chinese terminals.
"""

ROWS = 5
GAP = 1

_GLYPHS = """
A .###. #...# ##### #...# #...#
B ####. #...# ####. #...# ####.
C .#### #.... #.... #.... .####
D ####. #...# #...# #...# ####.
E ##### #.... ####. #.... #####
F ##### #.... ####. #.... #....
G .#### #.... #..## #...# .####
H #...# #...# ##### #...# #...#
I ### .#. .#. .#. ###
J ..### ...#. ...#. #..#. .##..
K #...# #..#. ###.. #..#. #...#
L #.... #.... #.... #.... #####
M #...# ##.## #.#.# #...# #...#
N #...# ##..# #.#.# #..## #...#
O .###. #...# #...# #...# .###.
P ####. #...# ####. #.... #....
Q .###. #...# #.#.# #..#. .##.#
R ####. #...# ####. #..#. #...#
S .#### #.... .###. ....# ####.
T ##### ..#.. ..#.. ..#.. ..#..
U #...# #...# #...# #...# .###.
V #...# #...# #...# .#.#. ..#..
W #...# #...# #.#.# ##.## #...#
X #...# .#.#. ..#.. .#.#. #...#
Y #...# .#.#. ..#.. ..#.. ..#..
Z ##### ...#. ..#.. .#... #####
0 .###. #...# #.#.# #...# .###.
1 .##. ..#. ..#. ..#. .###
2 ####. ....# .###. #.... #####
3 ####. ....# ..##. ....# ####.
4 #..#. #..#. ##### ...#. ...#.
5 ##### #.... ####. ....# ####.
6 .###. #.... ####. #...# .###.
7 ##### ....# ...#. ..#.. ..#..
8 .###. #...# .###. #...# .###.
9 .###. #...# .#### ....# .###.
"""

GLYPHS: dict[str, tuple[str, ...]] = {
    line[0]: tuple(line[2:].split()) for line in _GLYPHS.strip().splitlines()
}


def rows(text: str) -> tuple[str, ...]:
    """The five rows of a text, `#` where it is ink and `.` where not.

    A character that is not in the font leaves a gap of its width.
    """
    blank = ("." * ROWS,) * ROWS
    glyphs = [GLYPHS.get(letter, blank) for letter in text]
    gap = "." * GAP
    return tuple(gap.join(glyph[row] for glyph in glyphs) for row in range(ROWS))


def width(text: str) -> int:
    """Cells that a text takes, at one cell a dot."""
    return len(rows(text)[0])
