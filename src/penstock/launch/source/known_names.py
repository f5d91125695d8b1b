"""Names of Python, its library and well-known packages, by what their use does to a cache key."""

from __future__ import annotations

import sys

PLAIN_BUILTINS = frozenset(
    {
        "abs", "bool", "bytes", "complex", "dict", "divmod", "enumerate", "float", "frozenset", "int",
        "len", "list", "max", "min", "object", "pow", "range", "repr", "reversed", "round", "set",
        "slice", "sorted", "str", "sum", "tuple", "zip",
    }
)  # fmt: skip
PLAIN_CALLS = (
    "collections.", "dataclasses.field", "datetime.", "decimal.", "enum.auto", "fractions.",
    "functools.partial", "itertools.", "json.dumps", "json.loads", "logging.getLogger", "math.",
    "os.environ.get", "os.fspath", "os.getcwd", "os.getenv", "os.path.", "pathlib.",
    "re.compile", "textwrap.dedent", "typing.", "typing_extensions.",
)  # fmt: skip
"""Calls into the standard library that change nothing; with a dot at the end, all below it."""
PLAIN_METHODS = frozenset(
    {
        "absolute", "as_posix", "copy", "count", "difference", "encode", "endswith", "format", "get",
        "index", "intersection", "isdigit", "items", "join", "joinpath", "keys", "lower", "lstrip",
        "read_text", "removeprefix", "removesuffix", "replace", "resolve", "rsplit", "rstrip", "split",
        "splitlines", "startswith", "strip", "title", "union", "upper", "values", "with_name",
        "with_suffix", "zfill",
    }
)  # fmt: skip
DECORATORS = (
    "abc.abstractmethod", "contextlib.", "dataclasses.dataclass", "enum.unique", "functools.",
    "penstock.", "tensorflow.autograph.experimental.do_not_convert", "tensorflow.function", "tfx.",
    "typing.", "typing_extensions.",
)  # fmt: skip
"""Decorators that tell nobody of what they decorate."""
BASES = (
    "abc.", "apache_beam.", "collections.", "enum.", "keras.", "keras_tuner.", "penstock.",
    "tensorflow.", "tfx.", "typing.", "typing_extensions.",
)  # fmt: skip
"""Where the base classes are that do not learn of their subclasses."""
METHOD_KINDS = frozenset({"classmethod", "property", "staticmethod"})
DEFINITIONS = ("penstock.", "tfx.")
"""Calls that define a pipeline and do nothing else."""
KNOWN_ON_IMPORT = sys.stdlib_module_names | {
    "absl", "apache_beam", "keras", "keras_tuner", "matplotlib", "numpy", "pandas", "penstock",
    "pyarrow", "scipy", "sklearn", "tensorflow", "tensorflow_data_validation",
    "tensorflow_metadata", "tensorflow_model_analysis", "tensorflow_transform", "tfx",
}  # fmt: skip
"""Packages whose import changes nothing for code that does not use them."""
IN_MODULE = frozenset({"__dict__", "dir", "eval", "exec", "globals", "locals", "vars"})
"""Names by which code reaches any name of its own module."""

ANYWHERE = frozenset(
    {
        "__globals__", "__import__", "__subclasses__", "cloudpickle", "deserialize",
        "deserialize_keras_object", "dill", "f_back", "f_globals", "from_config", "gc",
        "get_custom_objects", "get_registered_object", "importlib", "inspect", "joblib", "load_model",
        "model_from_json", "pickle", "pkgutil", "runpy",
    }
)  # fmt: skip
"""Names by which code reaches classes and functions of any module, such as a saved model's layers."""
