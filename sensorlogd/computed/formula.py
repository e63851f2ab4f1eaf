"""Parses formulas: a formula is checked once and then computed many times.

A formula is an expression of numbers, names of inputs, named constants, ``+ - * / // % **``, comparisons, ``and or not``,
``a if b else c`` and calls of the functions in ``functions``; nothing else. Python's own parser reads it, every node of the tree
is held against the list below, and only what is on it is compiled: no attribute, no index, no text, no loop, no assignment.
All numbers are floats, so that no number grows beyond eight bytes; each node is computed at most once. Thus a formula takes time
linear in its text, and its text is bounded.
"""

from __future__ import annotations

import ast
import difflib
import math
import re
import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sensorlogd.computed.functions import CONSTANTS, FUNCTIONS
from sensorlogd.computed.running import Kind, Running

MAX_FORMULA_CHARACTERS = 1_000
MAX_FORMULA_PARTS = 250  # numbers, names, operators and calls
MAX_NESTING_LEVELS = 100  # a sum of 100 terms is so deep

INPUT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
RUNNING = {
    "integral": "integral(value, [unit of time])",
    "derivative": "derivative(value, [unit of time])",
    "heating_degree_days": "heating_degree_days(temperature, base)",
    "cooling_degree_days": "cooling_degree_days(temperature, base)",
}
_RESERVED = {*FUNCTIONS, *CONSTANTS, *RUNNING, "and", "or", "not", "if", "else", "True", "False", "None", "in", "is", "lambda"}

_BINARY = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
_UNARY = (ast.UAdd, ast.USub, ast.Not)
_COMPARE = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
_NO_VALUE = (ArithmeticError, ValueError, TypeError)

ALLOWED = "numbers, inputs, + - * / // % **, < <= > >= == !=, and or not, 'a if b else c', parentheses and functions"


class FormulaError(ValueError):
    """A formula is not valid. ``column``: where in the text, from 1; 0: the whole of it. The text says what was found, what is
    allowed, and what to write."""

    def __init__(self, problem: str, column: int = 0) -> None:
        super().__init__(f"column {column}: {problem}" if column else problem)
        self.column = column


@dataclass(frozen=True, slots=True)
class Formula:
    """A checked formula. ``names``: the inputs it uses, in order of their first use. ``unit``: of its value if that is plain, else
    empty."""

    text: str
    names: tuple[str, ...]
    running: Running | None = None
    unit: str = ""
    calls: tuple[tuple[str, tuple[str, ...]], ...] = ()  # functions whose arguments are inputs: ("dew_point", ("t", ""))
    _evaluate: Callable[..., Any] = field(default=lambda: math.nan, repr=False, compare=False)

    def value(self, arguments: Sequence[float]) -> float | None:
        """The value, given those of ``names`` in that order; None if it has none (a division by 0, the root of a negative
        number)."""
        try:
            found = float(self._evaluate(*arguments))
        except _NO_VALUE:
            return None
        return found if math.isfinite(found) else None


def input_name_problem(name: str) -> str:
    """Why ``name`` cannot be the name of an input; empty if it can."""
    if not INPUT_NAME.fullmatch(name):
        return f"{name!r} is not a name for a formula; use letters, digits and '_', a letter first, e.g. t"
    if name in _RESERVED:
        return f"{name!r} means something in formulas already; write another name"
    return ""


def parse(text: str, inputs: Collection[str]) -> Formula:
    """The checked formula of ``text``. ``inputs``: the names that it may use. Raises FormulaError."""
    return _Reading(text, inputs).formula()


class _Reading:
    """The reading of one formula: it checks the text, and collects the inputs and calls that occur in it."""

    def __init__(self, text: str, inputs: Collection[str]) -> None:
        self.text = " ".join(text.split())
        self.inputs = inputs
        self.names: dict[str, None] = {}
        self.calls: list[tuple[str, tuple[str, ...]]] = []

    def formula(self) -> Formula:
        """The checked formula. Raises FormulaError."""
        root = self._parse_tree()
        running, inner = self._split_running(root)
        self._check(inner)
        if not self.names:
            raise FormulaError("uses no input; write at least one of: " + (", ".join(self.inputs) or "(none under inputs:)"))
        unit = ""
        if running is None and isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name):
            unit = FUNCTIONS[inner.func.id].unit
        elif running is not None and isinstance(root, ast.Call) and len(root.args) == 2 and root is not inner:
            unit = "K·d" if _called(root).endswith("degree_days") else ""
        return Formula(
            self.text, tuple(self.names), running, unit, tuple(self.calls), _compiled(inner, tuple(self.names))
        )  # fmt: skip

    def _parse_tree(self) -> ast.expr:
        """The syntax tree of the text, bounded in size and depth; its nodes are not checked yet. Raises FormulaError."""
        if not self.text:
            raise FormulaError("is empty; write e.g. dew_point(t, rh)")
        if len(self.text) > MAX_FORMULA_CHARACTERS:
            raise FormulaError(
                f"has {len(self.text)} characters, at most {MAX_FORMULA_CHARACTERS} are allowed; make two channels of it"
            )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)  # ``2(3)``, which is refused below in our own words
                root = ast.parse(self.text, mode="eval").body
        except SyntaxError as error:
            raise FormulaError(self._syntax_problem(error), min(error.offset or 0, len(self.text) + 1)) from None
        except (RecursionError, MemoryError, ValueError):
            raise FormulaError(f"is nested too deeply; at most {MAX_NESTING_LEVELS} levels are allowed") from None
        self._check_size(root)
        return root

    def _syntax_problem(self, error: SyntaxError) -> str:
        if "=" in self.text.replace("==", "").replace("<=", "").replace(">=", "").replace("!=", ""):
            return "'=' is not allowed here: a formula is what stands right of it; to compare write =="
        if "," in self.text and "(" not in self.text:
            return "a decimal comma? write 0.5, not 0,5"
        return f"is not a formula ({error.msg}); allowed are {ALLOWED}"

    def _check_size(self, root: ast.expr) -> None:
        """Raise FormulaError if the tree has too many parts or levels. It goes level by level, so no depth can exhaust the
        stack."""
        parts = 0
        level: list[ast.AST] = [root]
        for depth in range(1, MAX_NESTING_LEVELS + 2):
            parts += len(level)
            if parts > MAX_FORMULA_PARTS:
                raise FormulaError(f"has more than {MAX_FORMULA_PARTS} parts; make two channels of it")
            level = [
                child
                for node in level
                for child in ast.iter_child_nodes(node)
                if not isinstance(child, (ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context))
            ]
            if not level:
                return
            if depth > MAX_NESTING_LEVELS:
                break
        raise FormulaError(f"is nested too deeply; at most {MAX_NESTING_LEVELS} levels are allowed")

    # ---- what has a memory -----------------------------------------------------------------------------------------

    def _split_running(self, root: ast.expr) -> tuple[Running | None, ast.expr]:
        """(what is combined over time, or None; the expression whose values are combined). Degree days become the integral of a
        difference that is never negative. Raises FormulaError."""
        name = _called(root)
        if name not in RUNNING:
            return None, root
        assert isinstance(root, ast.Call)
        is_days = name.endswith("degree_days")
        if root.keywords or not (2 if is_days else 1) <= len(root.args) <= 2:
            raise self._refused(root, f"{name} is called as {RUNNING[name]}, found {len(root.args)} arguments")
        if is_days:
            a, b = root.args if name.startswith("cooling") else reversed(root.args)
            difference = ast.copy_location(ast.BinOp(a, ast.Sub(), b), root)
            zero = ast.copy_location(ast.Constant(0.0), root)
            call = ast.Call(ast.copy_location(ast.Name("max", ast.Load()), root), [difference, zero], [])
            return Running(Kind.INTEGRAL, CONSTANTS["day"]), ast.copy_location(call, root)
        per = self._constant(root.args[1]) if len(root.args) == 2 else 1.0
        return Running(Kind(name), per), root.args[0]

    def _constant(self, node: ast.expr) -> float:
        """The value of a constant argument, a unit of time, in seconds."""
        reading = _Reading("0", ())
        reading.text = self.text
        written = ast.get_source_segment(self.text, node)
        try:
            reading._check(node)
        except FormulaError:
            raise self._refused(
                node, f"{written} is not a unit of time; write second, minute, hour, day or a number of seconds"
            ) from None
        found = Formula("", (), _evaluate=_compiled(node, ())).value(())
        if found is None or found <= 0:
            raise self._refused(node, f"{written} is not a unit of time; write one of more than 0 seconds")
        return found

    # ---- every node ------------------------------------------------------------------------------------------------

    def _check(self, node: ast.expr) -> None:
        """Check a node and those below it. Recursive; the depth has been bounded already."""
        if isinstance(node, ast.Constant):
            if type(node.value) not in (int, float):
                raise self._refused(node, f"{node.value!r} is not a number")
        elif isinstance(node, ast.Name):
            self._check_name(node)
        elif isinstance(node, ast.Call):
            self._check_call(node)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, _BINARY):
            self._check(node.left)
            self._check(node.right)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, _UNARY):
            self._check(node.operand)
        elif isinstance(node, ast.BoolOp):
            for operand in node.values:
                self._check(operand)
        elif isinstance(node, ast.Compare) and all(isinstance(op, _COMPARE) for op in node.ops):
            for operand in (node.left, *node.comparators):
                self._check(operand)
        elif isinstance(node, ast.IfExp):
            for operand in (node.test, node.body, node.orelse):
                self._check(operand)
        else:
            raise self._not_allowed(node)

    def _check_name(self, node: ast.Name) -> None:
        """Note the input that is used. Raises FormulaError if the name is neither an input nor a constant."""
        name = node.id
        if name in self.inputs:
            self.names[name] = None
        elif name in FUNCTIONS or name in RUNNING:
            raise self._refused(node, f"{name} is a function; call it: {_signature(name)}")
        elif name not in CONSTANTS:
            known = [*self.inputs, *CONSTANTS]
            hint = _closest(name, known) or f"; known: {', '.join(known)}"
            raise self._refused(node, f"{name!r} is not an input{hint}; name a channel under inputs: to use it")

    def _check_call(self, node: ast.Call) -> None:
        """Check a call and its arguments, and note the arguments that are inputs. Raises FormulaError."""
        name = _called(node)
        if not name:
            raise self._refused(node, "only a function can be called; a product is written with *")
        if name in RUNNING:
            raise self._refused(
                node, f"{name} stands outermost only; make a channel of its own of it and name that under inputs:"
            )
        function = FUNCTIONS.get(name)
        if function is None:
            if name in self.inputs or name in CONSTANTS:
                raise self._refused(node, f"{name} is not a function; a product is written with *")
            hint = _closest(name, [*FUNCTIONS, *RUNNING]) or f"; known: {', '.join(sorted((*FUNCTIONS, *RUNNING)))}"
            raise self._refused(node, f"{name!r} is not a function{hint}")
        if node.keywords or not function.accepts(len(node.args)):
            found = "a name and '='" if node.keywords else f"{len(node.args)} arguments"
            raise self._refused(node, f"{name} is called as {function.signature(name)}, found {found}")
        for argument in node.args:
            self._check(argument)
        self.calls.append((name, tuple(argument.id if isinstance(argument, ast.Name) else "" for argument in node.args)))

    def _not_allowed(self, node: ast.expr) -> FormulaError:
        if isinstance(node, ast.Attribute):
            written = ast.get_source_segment(self.text, node) or "a.b"
            return self._refused(node, f"'.' is not allowed; write the channel under inputs:, e.g. x: {written}, and x here")
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitXor):
            return self._refused(node, "'^' is not allowed; a power is written with **, e.g. x ** 2")
        if isinstance(node, ast.Tuple):
            return self._refused(node, "a comma stands between arguments only; a decimal point is written '.'")
        written = (ast.get_source_segment(self.text, node) or type(node).__name__)[:40]
        return self._refused(node, f"{written!r} is not allowed; allowed are {ALLOWED}")

    def _refused(self, node: ast.expr, problem: str) -> FormulaError:
        """The error for a problem at this node."""
        # The parser counts bytes, people count characters.
        before = self.text.encode()[: node.col_offset].decode(errors="ignore")
        return FormulaError(problem, len(before) + 1)


def _called(node: ast.expr) -> str:
    """The name of the function that the node calls; empty if it is not a call."""
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def _signature(name: str) -> str:
    return RUNNING.get(name) or FUNCTIONS[name].signature(name)


def _closest(word: str, known: Collection[str]) -> str:
    found = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f" (did you mean {found[0]!r}?)" if found else ""


# ---- computing -----------------------------------------------------------------------------------------------------


class _Floats(ast.NodeTransformer):
    """Turns numbers into floats, and ``a ** b`` into a call that knows floats only (Python's own gives complex numbers, too)."""

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        """An integer beyond the range of a float becomes inf, whose result is no reading, and not an error at each reading."""
        try:
            number = float(node.value)  # type: ignore[arg-type]  # checked: an int or a float
        except OverflowError:
            number = math.inf
        return ast.copy_location(ast.Constant(number), node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        """Replace ``a ** b`` by ``_power(a, b)``."""
        self.generic_visit(node)
        if not isinstance(node.op, ast.Pow):
            return node
        power = ast.copy_location(ast.Name("_power", ast.Load()), node)
        return ast.copy_location(ast.Call(power, [node.left, node.right], []), node)


def _compiled(node: ast.expr, names: tuple[str, ...]) -> Callable[..., Any]:
    """Compile a checked node into a function of the inputs. Nothing else is within reach of the compiled code."""
    body = _Floats().visit(node)
    arguments = ast.arguments(posonlyargs=[], args=[ast.arg(name) for name in names], kwonlyargs=[], kw_defaults=[], defaults=[])
    tree = ast.fix_missing_locations(ast.Expression(ast.Lambda(arguments, body)))
    reach: dict[str, Any] = {name: function.run for name, function in FUNCTIONS.items()}
    reach |= CONSTANTS | {"_power": math.pow, "__builtins__": {}}
    made: Callable[..., Any] = eval(compile(tree, "<formula>", "eval"), reach)
    return made
