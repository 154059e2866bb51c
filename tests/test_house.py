"""The house keeps its own rules: rooms, names, sizes, and docs that are true."""

import ast
import importlib
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("floor", "callers", "displays", "scoring")
MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
FORBIDDEN_NAMES = {"utils", "helpers", "common", "base", "manager", "handler"}

MODULES = [
    ROOT / "main.py",
    *(p for room in ROOMS for p in (ROOT / room).rglob("*.py")),
]
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_resolves_in_this_checkout(room: str) -> None:
    module = importlib.import_module(room)
    assert Path(str(module.__file__)).parent == ROOT / room
    owners = importlib.metadata.packages_distributions().get(room, [])
    assert set(owners) <= {"jiaohao"}


def test_the_top_level_is_what_the_customer_named() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    top = {name.partition("/")[0] for name in tracked}
    beside = {
        ".ci", ".gitignore", "CHANGELOG.md", "LICENSE", "Makefile", "NOTICE",
        "README.md", "docs", "pyproject.toml", "requirements.txt",
        "requirements-dev.txt",
    }  # fmt: skip
    assert top - beside == {*ROOMS, "main.py", "tests"}
    assert "events.db" not in top, "The log is made on the first run."


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_rooms_are_short_and_say_what_they_are_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MODULE_LINES_MAX
    assert path.stem not in FORBIDDEN_NAMES
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "A module begins with what it is for."
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= FUNCTION_LINES_MAX, f"{node.name} is {lines} lines long"


def test_each_name_on_the_walk_is_where_the_walk_says() -> None:
    walk = (ROOT / "docs" / "a-call-from-key-to-score.md").read_text(encoding="utf-8")
    rows = re.findall(r"\]\(\.\./([\w/]+)\.py\) \| `(\w+)`", walk)
    assert len(rows) >= 12
    for path, name in rows:
        module = importlib.import_module(path.replace("/", "."))
        assert hasattr(module, name), f"{path}.py has no {name}"


@pytest.mark.parametrize("page", DOCS, ids=lambda p: p.name)
def test_links_in_the_docs_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target


def test_printed_docs_are_fresh() -> None:
    from main import printed_docs

    for path, text in printed_docs().items():
        assert path.read_text(encoding="utf-8") == text, f"run `make docs`: {path.name}"


def test_decisions_say_why_and_how_to_undo() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [p.name[:4] for p in decisions[:5]] == [
        "0001",
        "0002",
        "0003",
        "0004",
        "0005",
    ]
    for page in decisions:
        text = page.read_text(encoding="utf-8")
        for part in ("Context", "Choice", "Roads not taken", "To undo"):
            assert f"**{part}.**" in text, f"{page.name} lacks {part}"


def test_import_contracts_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_no_download_host_is_named() -> None:
    found = subprocess.run(
        ["git", "grep", "-nE", "index-" + 'url|/simp' + 'le/|"resol' + 'ved":'],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert found.stdout == ""
