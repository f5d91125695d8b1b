"""Which statements of a module do nothing on import but bind a name.

Such a statement matters to those who reach the name; every other one runs whenever the module is
imported and may change anything: it registers a class, fills a table, sets a variable of the
environment. Where it is not certain that a statement has no effect, it has one.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from penstock.launch.source.known_names import (
    BASES,
    DECORATORS,
    DEFINITIONS,
    METHOD_KINDS,
    PLAIN_BUILTINS,
    PLAIN_CALLS,
    PLAIN_METHODS,
)

Value = Literal["plain", "definition", "opaque"]
"""What an expression without effects gives: data of Python's own types, a part of a pipeline's
definition (made by Penstock), or something that may be named but not operated on."""


class ImportEffects:
    """Tells the statements with effects from those that bind a name and nothing else.

    Args:
        imported: Name to the dotted names that the module's imports bind it to.
        bound: Name to the other top-level statements that bind it.
        postponed: Whether annotations are not evaluated.
    """

    def __init__(
        self,
        imported: Mapping[str, Iterable[str]],
        bound: Mapping[str, Sequence[ast.stmt]],
        *,
        postponed: bool,
    ) -> None:
        self._imported = imported
        self._bound = bound
        self._postponed = postponed
        self._values: dict[str, Value | None] = {}
        self._quiet: dict[ast.stmt, bool] = {}

    def binds_only(self, statement: ast.stmt) -> bool:
        """Return whether a statement has no effect on import but to bind names."""
        if statement not in self._quiet:
            self._quiet[statement] = False  # Whoever asks while it is being found out is told no.
            self._quiet[statement] = self._binds_only(statement)
        return self._quiet[statement]

    def is_definition(self, statement: ast.stmt) -> bool:
        """Return whether an expression's statement only adds to a pipeline's definition."""
        return isinstance(statement, ast.Expr) and self._value(statement.value) == "definition"

    def _binds_only(self, statement: ast.stmt) -> bool:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return self._decorated_quietly(statement) and self._quiet_signature(
                statement.args, statement
            )
        if isinstance(statement, ast.ClassDef):
            return self._quiet_class(statement)
        if isinstance(statement, ast.Assign):
            return all(map(_is_target, statement.targets)) and self._pure(statement.value)
        if isinstance(statement, ast.AnnAssign):
            value = statement.value is None or self._pure(statement.value)
            return (
                isinstance(statement.target, ast.Name)
                and value
                and self._quiet_annotation(statement)
            )
        return isinstance(statement, ast.Pass) or (
            isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        )

    def _quiet_annotation(self, node: ast.AnnAssign | ast.arg) -> bool:
        annotation = node.annotation
        return self._postponed or annotation is None or self._pure_annotation(annotation)

    def _pure_annotation(self, node: ast.expr) -> bool:
        return not any(
            isinstance(each, (ast.Call, ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom))
            for each in ast.walk(node)
        )

    def _quiet_signature(
        self,
        arguments: ast.arguments,
        function: ast.FunctionDef | ast.AsyncFunctionDef | None = None,
    ) -> bool:
        defaults = [
            *arguments.defaults,
            *(each for each in arguments.kw_defaults if each is not None),
        ]
        if not all(map(self._pure, defaults)):
            return False
        if function is None or self._postponed:
            return True
        named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        named += [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
        returned = function.returns is None or self._pure_annotation(function.returns)
        return returned and all(map(self._quiet_annotation, named))

    def _decorated_quietly(
        self, statement: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, inside: bool = False
    ) -> bool:
        for decorator in statement.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            if isinstance(decorator, ast.Call) and not self._pure_arguments(decorator):
                return False
            if isinstance(called, ast.Name) and self._is_builtin(called.id, METHOD_KINDS):
                continue
            if (
                inside
                and isinstance(called, ast.Attribute)
                and called.attr in ("setter", "deleter")
            ):
                continue
            if not _below(self._dotted(called), DECORATORS):
                return False
        return True

    def _is_builtin(self, name: str, names: frozenset[str]) -> bool:
        return name in names and name not in self._bound and name not in self._imported

    def _quiet_class(self, statement: ast.ClassDef) -> bool:
        if not self._decorated_quietly(statement):
            return False
        for keyword in statement.keywords:
            known = keyword.arg in ("total", "frozen", "kw_only") and self._pure(keyword.value)
            if not known and self._dotted(keyword.value) != "abc.ABCMeta":
                return False
        if not all(map(self._quiet_base, statement.bases)):
            return False
        for each in statement.body:
            if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)):
                quiet = self._decorated_quietly(each, inside=True) and self._quiet_signature(
                    each.args, each
                )
            else:
                quiet = self._binds_only(each)
            if not quiet:
                return False
        return True

    def _quiet_base(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Subscript):
            return self._pure(node.slice) and self._quiet_base(node.value)
        if isinstance(node, ast.Name) and node.id in self._bound:
            (base, *others) = self._bound[node.id]
            if others or not isinstance(base, ast.ClassDef):
                return False
            tells = any(getattr(each, "name", "") == "__init_subclass__" for each in base.body)
            return not tells and self.binds_only(base)
        if isinstance(node, ast.Name) and node.id not in self._imported:
            return hasattr(builtins, node.id)
        return _below(self._dotted(node), BASES)

    def _pure(self, node: ast.expr) -> bool:
        return self._value(node) is not None

    def _pure_arguments(self, call: ast.Call) -> bool:
        return all(map(self._pure, [*call.args, *(each.value for each in call.keywords)]))

    def _value(self, node: ast.expr, local: frozenset[str] = frozenset()) -> Value | None:
        """Return what an expression gives; None if finding that out might have an effect."""

        def pure(parts: Iterable[ast.expr | None]) -> bool:
            return all(part is None or self._value(part, local) is not None for part in parts)

        def plain(parts: Iterable[ast.expr]) -> bool:
            return all(self._value(part, local) == "plain" for part in parts)

        match node:
            case ast.Constant():
                return "plain"
            case ast.Name():
                return "plain" if node.id in local else self._named(node.id)
            case ast.Attribute():
                return self._value(node.value, local)
            case ast.Subscript():
                inner = self._value(node.value, local)
                return inner if pure([node.slice]) and not self._unknown(node.value) else None
            case ast.Slice():
                return "plain" if pure([node.lower, node.upper, node.step]) else None
            case ast.Tuple() | ast.List() | ast.Set():
                return "plain" if pure(node.elts) else None
            case ast.Dict():
                return "plain" if pure([*node.keys, *node.values]) else None
            case ast.Starred():
                return self._value(node.value, local)
            case ast.BinOp():
                return "plain" if plain([node.left, node.right]) else None
            case ast.UnaryOp():
                return "plain" if plain([node.operand]) else None
            case ast.Compare():
                return "plain" if plain([node.left, *node.comparators]) else None
            case ast.BoolOp():
                return (
                    None if not pure(node.values) else "plain" if plain(node.values) else "opaque"
                )
            case ast.IfExp():
                if not pure([node.test, node.body, node.orelse]):
                    return None
                return "plain" if plain([node.body, node.orelse]) else "opaque"
            case ast.JoinedStr():
                return "plain" if pure(node.values) else None
            case ast.FormattedValue():
                return "plain" if pure([node.value, node.format_spec]) else None
            case ast.Lambda():
                return "opaque" if self._quiet_signature(node.args) else None
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                return self._comprehension(node, local)
            case ast.Call():
                arguments = [*node.args, *(each.value for each in node.keywords)]
                # What a `key` function does is not known.
                known = not any(each.arg == "key" for each in node.keywords)
                return self._called(node.func, local) if known and pure(arguments) else None
        return None

    def _comprehension(
        self,
        node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp,
        local: frozenset[str],
    ) -> Value | None:
        parts: list[ast.expr] = []
        for each in node.generators:
            parts += [each.iter, *each.ifs]
            names = (part.id for part in ast.walk(each.target) if isinstance(part, ast.Name))
            local |= frozenset(names)
        parts += [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        return "plain" if all(self._value(part, local) is not None for part in parts) else None

    def _named(self, name: str) -> Value | None:
        if name not in self._bound or len(self._bound[name]) > 1 or name in self._imported:
            return "opaque"
        if name not in self._values:
            self._values[name] = "opaque"
            (statement,) = self._bound[name]
            simple = isinstance(statement, ast.Assign) and len(statement.targets) == 1
            if simple and isinstance(statement.targets[0], ast.Name):  # type: ignore[attr-defined]
                value = self._value(statement.value)  # type: ignore[attr-defined]
                self._values[name] = value or "opaque"
        return self._values[name]

    def _unknown(self, node: ast.expr) -> bool:
        """Return whether something is taken of an object that code with effects made."""
        while isinstance(node, (ast.Attribute, ast.Subscript)):
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self._bound:
            return False
        return not all(map(self.binds_only, self._bound[node.id]))

    def _called(self, function: ast.expr, local: frozenset[str]) -> Value | None:
        if isinstance(function, ast.Name):
            name = function.id
            if name in self._bound:
                return "definition" if self._makes_definitions(name) else None
            if name not in self._imported:
                return "plain" if name in PLAIN_BUILTINS else None
        dotted = self._dotted(function)
        if _below(dotted, DEFINITIONS):
            return "definition"
        if _below(dotted, PLAIN_CALLS):
            return "plain"
        if dotted is None and isinstance(function, ast.Attribute):
            owner = self._value(function.value, local)
            if owner == "definition":
                return "definition"
            if owner == "plain" and function.attr in PLAIN_METHODS:
                return "plain"
        return None

    def _makes_definitions(self, name: str) -> bool:
        """Return whether calling a name of the module constructs a component."""
        (statement, *others) = self._bound[name]
        if others or name in self._imported or not self.binds_only(statement):
            return False
        if isinstance(statement, ast.FunctionDef):
            made_by = [
                each.func if isinstance(each, ast.Call) else each
                for each in statement.decorator_list
            ]
        elif isinstance(statement, ast.ClassDef):
            made_by = statement.bases
        else:
            return False
        return any(_below(self._dotted(each), DEFINITIONS) for each in made_by)

    def _dotted(self, node: ast.expr) -> str | None:
        """Return the full name of what an attribute chain below an import means."""
        attributes: list[str] = []
        while isinstance(node, ast.Attribute):
            attributes.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id in self._bound:
            return None
        targets = list(self._imported.get(node.id, ()))
        if len(targets) != 1:
            return None
        return ".".join([targets[0], *reversed(attributes)])


def _is_target(node: ast.expr) -> bool:
    if isinstance(node, (ast.Tuple, ast.List)):
        return all(map(_is_target, node.elts))
    return isinstance(node, ast.Name)


def _below(dotted: str | None, names: Iterable[str]) -> bool:
    return dotted is not None and any(
        dotted.startswith(name) if name.endswith(".") else dotted == name for name in names
    )
