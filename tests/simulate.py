"""Live seeds again, with their traces:  python tests/simulate.py [--brief] 4711 …

Of a seed that fails, the kinds of fault that it takes are printed as well.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))

from simulated_faults import Faults
from simulated_hall import Broken, simulate


def main(words: list[str]) -> int:
    """Print each seed's trace and how it ended; 1 when a promise was broken."""
    seeds = [int(word) for word in words if word != "--brief"]
    status = 0
    for seed in seeds:
        try:
            story = simulate(seed, told=True)
        except Broken as broken:
            print(broken)
            print(f"seed={seed} needs {' '.join(needed(seed)) or 'no fault at all'}")
            status = 1
            continue
        if len(seeds) == len(words):
            print("\n".join(story.lines))
        print(f"seed={seed} steps={story.steps} trace={story.digest}")
    return status


def needed(seed: int) -> list[str]:
    """The kinds of fault without which a promise is no longer broken."""
    spared: list[str] = []
    for kind in Faults.__struct_fields__:
        try:
            simulate(seed, without=[*spared, kind])
        except Broken:
            spared.append(kind)
    return [kind for kind in Faults.__struct_fields__ if kind not in spared]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
