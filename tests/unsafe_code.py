"""What no code of ours may do, found in its syntax tree.

Each rule takes one node and says what is wrong with it, or nothing. ``faults_in``
applies all of them to the code of a file; ``sources`` gives the code of the repository,
notebooks included. Tests are left out: one of them pickles a prompt to show that a
user's process pool can.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat

from ptlearn.files import REPOSITORY

FOLDERS = ("ptlearn", "data", "benchmarks", "docs", "notebooks")
PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve"}
PICKLES |= {"marshal"}
RUN_TEXT = {"eval", "exec", "compile", "__import__"}
SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
SHELL_NAMES = {"sh", "bash", "zsh", "cmd", "powershell"}
STARTERS = {"run", "Popen", "call", "check_call", "check_output"}
DOWNLOADS = re.compile(
    r"(^|\.)(urlopen|urlretrieve|hf_hub_download|snapshot_download|cached_download)$"
    r"|^(requests|httpx|urllib3)\.\w+$|^torch\.hub\."
)
LOADS_PICKLES = {"torch.load": "weights_only", "np.load": "", "numpy.load": ""}
LOADS_PICKLES |= {"pandas.read_pickle": "", "pd.read_pickle": ""}
ALLOWED = {
    # They ask the service that they have just started, over the loopback.
    ("benchmarks/faults/offline.py", "download without a pinned hash: urlopen"),
    ("notebooks/10_your_own_data.ipynb", "download without a pinned hash: urlopen"),
    # A stand-in that was made the moment before.
    ("benchmarks/faults/writers.py", "download without a pinned hash: ModelSource"),
}


def dotted(node: ast.AST) -> str:
    """Return ``a.b.c`` of a name or an attribute; "" of anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def first(call: ast.Call) -> ast.expr | None:
    return call.args[0] if call.args else None


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((k.value for k in call.keywords if k.arg == name), None)


def is_constant(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def pickles(node: ast.AST) -> str:
    names = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        names = [node.module or ""]
    if isinstance(node, ast.Call) and dotted(node.func) == "importlib.import_module":
        names = [a.value for a in node.args if isinstance(a, ast.Constant)]
    bad = [n for n in names if n.split(".")[0] in PICKLES]
    return f"pickle: {', '.join(bad)}" if bad else ""


def loads_pickles(node: ast.AST) -> str:
    if not isinstance(node, ast.Call) or dotted(node.func) not in LOADS_PICKLES:
        return ""
    name = dotted(node.func)
    if name.endswith(".load") and name != "torch.load":
        asked = keyword(node, "allow_pickle")
        return "" if asked is None or is_constant(asked, False) else f"pickle: {name}"
    return f"pickle: {name}"


def runs_text(node: ast.AST) -> str:
    if isinstance(node, ast.Call) and dotted(node.func).removeprefix("builtins.") in (
        RUN_TEXT
    ):
        return f"runs text as code: {dotted(node.func)}"
    return ""


def remote_code(node: ast.AST) -> str:
    """Only a plain ``trust_remote_code=False`` is allowed, in a call or a dict."""
    pairs: list = []
    if isinstance(node, ast.Call):
        pairs = [(k.arg, k.value) for k in node.keywords]
    if isinstance(node, ast.Dict):
        both = zip(node.keys, node.values, strict=True)
        pairs = [(getattr(key, "value", None), value) for key, value in both]
    for name, value in pairs:
        if name == "trust_remote_code" and not is_constant(value, False):
            return f"trust_remote_code={ast.unparse(value)}"
    return ""


def shell_strings(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    name, shell = dotted(node.func), keyword(node, "shell")
    if name in SHELLS or (shell is not None and not is_constant(shell, False)):
        return f"a shell reads text: {ast.unparse(node.func)}"
    words = [getattr(e, "value", "") for e in getattr(first(node), "elts", [])]
    if any(word in SHELL_NAMES for word in words) and {"-c", "/c"} & set(words):
        return f"a shell reads text: {name}"
    starts = name in {f"subprocess.{starter}" for starter in STARTERS}
    if starts and isinstance(first(node), ast.JoinedStr | ast.BinOp):
        return f"a command as text: {name}"
    return ""


def unpinned(node: ast.AST) -> str:
    """A download, or a model's source whose hash is not 64 digits in the code."""
    if not isinstance(node, ast.Call):
        return ""
    name = dotted(node.func)
    if DOWNLOADS.search(name):
        return f"download without a pinned hash: {name.split('.')[-1]}"
    if name.endswith("ModelSource"):
        pin = keyword(node, "wheel_sha256")
        text = pin.value if isinstance(pin, ast.Constant) else ""
        if not re.fullmatch("[0-9a-f]{64}", str(text)):
            return "download without a pinned hash: ModelSource"
    return ""


RULES = (pickles, loads_pickles, runs_text, remote_code, shell_strings, unpinned)


def faults_in(code: str) -> list[tuple[int, str]]:
    """Return the line and the fault of everything that a rule finds."""
    found = []
    for node in ast.walk(ast.parse(code)):
        found += [(node.lineno, fault) for rule in RULES if (fault := rule(node))]
    return sorted(found)


def sources() -> Iterator[tuple[str, str]]:
    """Give the path within the repository, and the code, of every file of ours."""
    for folder in FOLDERS:
        for path in sorted((REPOSITORY / folder).rglob("*")):
            name = path.relative_to(REPOSITORY).as_posix()
            if path.suffix == ".py":
                yield name, path.read_text(encoding="utf-8")
            elif path.suffix == ".ipynb" and ".ipynb_checkpoints" not in name:
                yield name, notebook_code(path)


def notebook_code(path: Path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "code")


def all_faults() -> dict[str, list[str]]:
    """Return the faults of each file that has been read, mostly none."""
    return {
        name: [
            f"line {line}: {fault}"
            for line, fault in faults_in(code)
            if (name, fault) not in ALLOWED
        ]
        for name, code in sources()
    }
