"""Live seeds again, with their traces:  python tests/simulate.py [--brief] 4711 …"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))

from simulated_hall import Broken, simulate


def main(words: list[str]) -> int:
    """Print each seed's trace and how it ended; 1 when a promise was broken."""
    seeds = [int(word) for word in words if word != "--brief"]
    broken = 0
    for seed in seeds:
        try:
            story = simulate(seed, told=True)
        except Broken as error:
            print(error)
            broken = 1
            continue
        if len(seeds) == len(words):
            print("\n".join(story.lines))
        print(f"seed={seed} steps={story.steps} trace={story.digest}")
    return broken


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
