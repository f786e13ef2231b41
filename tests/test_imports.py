"""The rules of docs/design.md, section 2, read from the source without importing it."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "ganctl"
FILES = {str(path.relative_to(PACKAGE)): ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}
"""Each file of the package, parsed."""

FOUNDATION = {"augment", "errors", "images", "processes", "registry", "round", "runtime", "samples", "terms"}
FAMILIES = {"losses", "penalties", "auxiliary", "schedules", "optim", "models", "data"}
MAY_IMPORT = {
    "errors": set(),
    "registry": set(),
    "augment": {"processes", "registry", "runtime"},
    "runtime": {"errors"},
    "processes": {"errors", "runtime"},
    "round": {"augment", "errors", "models", "runtime", "samples"},
    "images": {"errors", "runtime"},
    "samples": {"errors", "images"},
    "terms": {"registry", "round"},
    "loggers": {"registry", "runtime"},
    **dict.fromkeys(FAMILIES, FOUNDATION),
    # Mixtures know their modes and sources their labels; the classifier is made of the models' layers.
    "metrics": {"data", "models"} | FOUNDATION,
    "command_line": {"errors", "runtime"},
    "sweeps": {"command_line", "errors", "folders", "registry", "runtime", "validation"},
    "plugins": {"errors"},
    "validation": {"command_line", "errors", "migrations", "registry"},
    "migrations": set(),
    "config": {"augment", "command_line", "errors", "loggers", "metrics", "registry", "round", "validation"}
    | {"migrations"}
    | FAMILIES,
    "rules": {"auxiliary", "config", "errors", "penalties"},
    "game": {"config", "images", "metrics", "runs"} | FOUNDATION | FAMILIES,
    "checkpoints": {"config", "game", "plugins", "rules"} | FOUNDATION | FAMILIES,
    "folders": {"checkpoints", "command_line", "config", "migrations", "plugins"} | FOUNDATION,
    "runs": {"checkpoints", "config", "folders", "game", "images", "loggers", "metrics", "plugins", "rules"}
    | FOUNDATION
    | FAMILIES,
    "uses": {"data", "game", "metrics", "models", "runs"} | FOUNDATION,
    "page": {"errors"},
    "recipes": {"command_line", "config", "data", "errors", "game", "models", "runtime", "samples"},
    "commands": {"checkpoints", "command_line", "config", "folders", "game", "images", "metrics", "migrations"}
    | {"page", "recipes", "rules", "runs", "samples", "sweeps", "uses", "validation"}
    | FOUNDATION
    | FAMILIES,
    "cli": {"command_line", "commands", "errors", "folders", "plugins", "processes", "runtime", "sweeps"},
    "__main__": {"cli"},
    "api": {"command_line", "commands", "errors", "folders", "plugins", "runs", "runtime", "samples"}
    | {"validation"},
    "__init__": {"api", "runtime"},
}
"""Which parts of the package each part may import, beside itself and the version."""

RUNS_CODE = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
STARTS_PROGRAMS = {"subprocess", "pty", "runpy", "code", "codeop", "webbrowser", "multiprocessing"}
CALLS_THAT_RUN_CODE = {"eval", "exec", "compile", "__import__", "execfile", "import_string"}
ATTRIBUTES_THAT_RUN_CODE = {
    *("torch.load", "torch.hub", "torch.save", "torch.compile", "serialization.load", "jit.load"),
    *("export.load", "_package.load_pt2", "torch.jit", "torch.package"),
    *("yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load", "yaml.Loader", "yaml.UnsafeLoader"),
    *("yaml.FullLoader", "utils.instantiate", "utils.call", "utils.get_class", "utils.get_method"),
    *("os.system", "os.popen", "os.startfile", "os.fork", "os.posix_spawn", "os.posix_spawnp"),
    *(f"os.{kind}{ending}" for kind in ("exec", "spawn") for ending in ("l", "le", "lp", "lpe", "v", "ve", "vp")),
    *("importlib.util", "importlib.reload"),
}
STARTS_WITHOUT_TORCH = [
    *(
        "cli.py",
        "runtime/job.py",
        "runtime/signals.py",
        "errors.py",
        "runtime/version.py",
        "__init__.py",
        "__main__.py",
    ),
    *(f"command_line/{module}.py" for module in ("compose", "explain", "jobs", "launchers")),
    *(f"command_line/{module}.py" for module in ("sweeping", "synonyms", "wording")),
    *(f"commands/{module}.py" for module in ("__init__", "words/__init__", "words/output")),
    *(f"commands/tracking/{module}.py" for module in ("__init__", "asking", "compare", "comparing", "list")),
    *(f"commands/tracking/{module}.py" for module in ("report", "show", "telling")),
    *(f"commands/tracking/reports/{module}.py" for module in ("__init__", "curves", "document", "pictures")),
    *(f"commands/tracking/reports/{module}.py" for module in ("rendering", "repetitions", "swept")),
    *(f"folders/{module}.py" for module in ("as_words", "find", "records", "scores", "untyped")),
    *(f"runtime/{module}.py" for module in ("bounded", "console", "disk", "intervals", "memory")),
    *("runtime/printing.py", "runtime/root.py"),
    *("checkpoints/untrusted.py", "migrations.py", "plugins.py"),
    *("sweeps/__init__.py", "sweeps/sweep_table.py"),
]

MOST_MODULES = 15
"""Of one package, those of packages within it not counted."""


def part_of(module: str) -> str:
    """Return the first name below the package: game for ganctl.game.step, __init__ for ganctl.

    What terms read, `ganctl.game.round`, is a part of its own, below the families.
    """
    names = [*module.split("."), "__init__"]
    return "round" if names[1:3] == ["game", "round"] else names[1]


def imported(nodes: Iterator[ast.AST]) -> set[str]:
    """Return the dotted names that import statements among the nodes name."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide which layer is meant"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def parts_imported(tree: ast.Module) -> set[str]:
    """Return the parts of the package that a file imports, anywhere in it."""
    names = {name for name in imported(ast.walk(tree)) if name.split(".")[0] == "ganctl"}
    parts = {part_of(name) for name in names}
    return {part for part in parts if part in MAY_IMPORT}


def at_module_level(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the nodes that run when the file is imported."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [
            child
            for child in ast.iter_child_nodes(node)
            if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        ]


def uses(tree: ast.Module) -> set[str]:
    """Return the names called, and the attributes taken by their last two names: eval, torch.load."""
    found = {".".join(name.split(".")[-2:]) for name in imported(ast.walk(tree))}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found.add(node.func.id)
        if isinstance(node, ast.Attribute):
            found.add(".".join(ast.unparse(node).split(".")[-2:]))
    return found


@pytest.mark.parametrize("file", FILES)
def test_imports_run_one_way(file: str) -> None:
    part = part_of(f"ganctl.{file.removesuffix('.py').replace('/', '.')}")
    assert part in MAY_IMPORT, "say in MAY_IMPORT what this new part may import"
    assert parts_imported(FILES[file]) <= MAY_IMPORT[part] | {part, "__init__"}


def test_families_import_neither_each_other_nor_what_is_above_them() -> None:
    above = FAMILIES | {"metrics", "game", "checkpoints", "runs", "config", "commands", "cli"}
    for part in FAMILIES | {"runtime", "registry", "errors"}:
        assert not (MAY_IMPORT[part] - {part}) & above


def test_only_the_command_line_knows_hydra_and_omegaconf() -> None:
    knowing = {
        file
        for file, tree in FILES.items()
        if {name.split(".")[0] for name in imported(ast.walk(tree))} & {"hydra", "omegaconf"}
    }
    assert knowing == {f"command_line/{module}.py" for module in ("compose", "explain", "launchers", "sweeping")}


@pytest.mark.parametrize("file", STARTS_WITHOUT_TORCH)
def test_a_question_is_answered_before_torch_is_imported(file: str) -> None:
    names = imported(at_module_level(FILES[file]))
    heavy = {"torch", "torchvision", "numpy", "pydantic", "safetensors"}
    assert not {name.split(".")[0] for name in names} & heavy
    ours = {name.rpartition(".")[0] for name in names if name.split(".")[0] == "ganctl"}
    light = {file.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for file in STARTS_WITHOUT_TORCH}
    assert ours <= {f"ganctl.{part}" for part in light} | {"ganctl"}


def test_help_needs_neither_hydra_nor_yaml() -> None:
    for file in ("cli.py", "errors.py", "__init__.py", "__main__.py"):
        third_party = {name.split(".")[0] for name in imported(at_module_level(FILES[file]))}
        assert not third_party & {"hydra", "omegaconf", "yaml", "rich"}


COMPILES = {"game/build.py": {"torch.compile"}}
"""torch.compile is forbidden for its likeness to `compile`; networks that a config chose may go through it."""

READS_BACK = {"uses/file_formats.py": {"export.load"}}
"""torch.export.load unpickles; a file of this process's own making may be read back to check it, from memory."""


@pytest.mark.parametrize("file", FILES)
def test_nothing_here_can_run_code_that_a_file_holds(file: str) -> None:
    tree = FILES[file]
    assert not {name.split(".")[0] for name in imported(ast.walk(tree))} & RUNS_CODE
    assert not uses(tree) & CALLS_THAT_RUN_CODE
    assert uses(tree) & ATTRIBUTES_THAT_RUN_CODE == (COMPILES | READS_BACK).get(file, set())


@pytest.mark.parametrize("file", READS_BACK)
def test_what_is_read_back_lies_in_memory(file: str) -> None:
    calls = [node for node in ast.walk(FILES[file]) if isinstance(node, ast.Call)]
    reading = [ast.unparse(call) for call in calls if ast.unparse(call.func).endswith("export.load")]
    assert reading == ["torch.export.load(io.BytesIO(content))"]


@pytest.mark.parametrize("file", FILES)
def test_numpy_never_unpickles(file: str) -> None:
    words = [node for node in ast.walk(FILES[file]) if isinstance(node, ast.keyword)]
    asked = [word for word in words if word.arg == "allow_pickle"]
    assert all(isinstance(word.value, ast.Constant) and word.value.value is False for word in asked)


def test_only_the_decoding_of_pictures_starts_processes() -> None:
    starting = {
        file
        for file, tree in FILES.items()
        if {name.split(".")[0] for name in imported(ast.walk(tree))} & STARTS_PROGRAMS
    }
    assert starting == {"data/decoding/parallel.py"}


def test_only_plugins_and_the_packages_own_modules_are_imported_by_name() -> None:
    """The registry imports what a package of ganctl lists; a row of the table of commands imports its module."""
    importing = {file for file, tree in FILES.items() if "importlib.import_module" in uses(tree)}
    assert importing == {"cli.py", "plugins.py", "registry.py"}
    calls = [
        (file, ast.unparse(node))
        for file, tree in FILES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_members")
    ]
    assert {call for _, call in calls} == {"import_members(__name__)"}
    packages = ("augment", "auxiliary", "data/sources", "loggers", "metrics", "metrics/features", "models")
    assert {file for file, _ in calls} == {f"{package}/__init__.py" for package in packages}


@pytest.mark.parametrize("folder", ["ganctl", "tests", "scripts"])
def test_files_and_functions_stay_short_and_say_in_their_names_what_they_hold(folder: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        text = path.read_text()
        assert path.stem not in {"utils", "util", "misc", "helpers", "helper", "common"}, path
        assert len(text.splitlines()) <= 400, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 60, f"{path}: {node.name}"


def modules_imported(tree: ast.Module) -> set[str]:
    """Return the modules of the package that a file imports, anywhere in it: game.step for ganctl.game.step."""
    known = {module_of(file) for file in FILES}
    names = {name.removeprefix("ganctl.") for name in imported(ast.walk(tree)) if name.startswith("ganctl.")}
    return {name if name in known else name.rpartition(".")[0] for name in names} & known


def module_of(file: str) -> str:
    """Return a file's name as imports have it below the package: game.step, images for images/__init__.py."""
    return file.removesuffix(".py").removesuffix("__init__").rstrip("/").replace("/", ".")


def test_no_module_imports_itself_by_way_of_others() -> None:
    imports = {module_of(file): modules_imported(tree) for file, tree in FILES.items()}
    reached: dict[str, set[str]] = {}
    for module in imports:
        reached[module], waiting = set(), [module]
        while waiting:
            new = imports[waiting.pop()] - reached[module]
            reached[module] |= new
            waiting += new
    circles = {
        tuple(sorted(other for other in reached[module] if module in reached[other]))
        for module in imports
        if module in reached[module]
    }
    assert not circles


def test_nothing_is_imported_for_type_checking_alone() -> None:
    words = (ast.Name, ast.Attribute, ast.alias)
    found = {
        file
        for file, tree in FILES.items()
        if any(ast.unparse(node).endswith("TYPE_CHECKING") for node in ast.walk(tree) if isinstance(node, words))
    }
    assert not found


def test_packages_are_small_enough_to_be_seen_at_once() -> None:
    entries = ("__init__.py", "__main__.py")
    sizes = Counter(str((Path("ganctl") / file).parent) for file in FILES if not file.endswith(entries))
    assert {package: size for package, size in sizes.items() if size > MOST_MODULES} == {}


def test_no_two_modules_and_no_two_public_classes_have_one_name() -> None:
    modules = Counter(Path(file).stem for file in FILES if not file.endswith("__init__.py"))
    assert {name for name, count in modules.items() if count > 1} == set()
    classes = Counter(
        node.name
        for tree in FILES.values()
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert {name for name, count in classes.items() if count > 1} == set()


NO_PACKAGE = {"behaviours", "gpu", "reference", "scripts"}
"""Folders of tests beside those of packages: of whole runs, for a card, official numbers, what people run."""


def test_folders_of_tests_are_those_of_the_package() -> None:
    folders = {path.relative_to(ROOT / "tests").parts[0] for path in (ROOT / "tests").glob("*/**/test_*.py")}
    assert {folder for folder in folders if not (PACKAGE / folder).is_dir()} == NO_PACKAGE
