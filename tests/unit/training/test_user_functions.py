from types import ModuleType

import pytest

from penstock.training import user_function
from penstock.training.user_functions import UserFunctionError, place_of


def module(source: str) -> ModuleType:
    made = ModuleType("user")
    made.__file__ = "modules/user.py"
    exec(source, made.__dict__)
    return made


def test_a_function_is_found_in_a_module_by_name_or_given():
    made = module("def run_fn(fn_args): return fn_args + 1")
    assert user_function(made, "run_fn")(1) == 2
    assert user_function(made.run_fn, "run_fn")(2) == 3
    assert user_function("math.sqrt", "run_fn")(4) == 2


def test_a_module_without_it_says_what_it_has():
    made = module("def run_fun(fn_args): pass\ndef other(): pass")
    message = r"modules/user.py does not define run_fn\(fn_args\). Did you mean 'run_fun'\? It defines: other, run_fun"
    with pytest.raises(ValueError, match=message):
        user_function(made, "run_fn")


@pytest.mark.parametrize("source", ["def run_fn(): pass", "def run_fn(a, b): pass"])
def test_a_wrong_signature_is_shown(source):
    with pytest.raises(
        UserFunctionError,
        match=r"run_fn of modules/user.py must take one argument, fn_args. Received: def run_fn\(",
    ):
        user_function(module(source), "run_fn")


def test_what_is_no_function_is_refused():
    with pytest.raises(UserFunctionError, match="is not a function. Received: int"):
        user_function(module("run_fn = 3"), "run_fn")


def test_a_function_is_told_with_its_place():
    assert place_of(module).startswith("module (")
    assert place_of(module).endswith("test_user_functions.py, line 9)")
    assert place_of(len) == "len"
