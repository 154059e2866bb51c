"""Live one seed again, with its trace:  python tests/simulate.py 4711 [4712 …]"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))

from simulated_hall import Broken, simulate


def main(seeds: list[str]) -> int:
    """Print each seed's trace and its end; 1 when a promise was broken."""
    broken = 0
    for seed in seeds:
        try:
            story = simulate(int(seed), told=True)
        except Broken as error:
            print(error)
            broken = 1
        else:
            print("\n".join(story.lines))
            print(f"seed={seed} steps={story.steps} trace={story.digest}")
    return broken


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
