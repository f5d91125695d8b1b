from penstock.components import Trainer
from penstock.dsl import Component
from penstock.launch.cache_key import _called_of_modules


class Renamed(Trainer):
    """Runs as a Trainer does."""


class Other(Trainer):
    """Runs otherwise."""

    def run(self, context):
        raise NotImplementedError


class Declared(Other):
    """Runs otherwise and says what it calls."""

    MODULE_FUNCTIONS = ("fit",)


def test_what_is_called_of_a_module_file_is_known_where_run_and_declaration_belong_together():
    assert _called_of_modules(Trainer) == ("run_fn",)
    assert _called_of_modules(Renamed) == ("run_fn",)
    assert _called_of_modules(Other) == ()
    assert _called_of_modules(Declared) == ("fit",)
    assert _called_of_modules(Component) == ()
