"""The running shop against its own OpenAPI document: programs follow its links from state to state, and try each
operation with what the document allows and what it does not. Whatever they ask, the answer is one that is declared.
"""

from collections import Counter
from itertools import count
from typing import Any

import pytest
import schemathesis
from clients import Stack
from declared import CHECKS, Session
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Flaky, Unsatisfiable
from schemathesis import Case, GenerationMode, Response

REQUESTS = 2_000
MOST = 4_000  # by then chance has led everywhere, or never will
STEPS = 15  # of one walk
EXAMPLES = 20  # of each operation and mode

PAY, COMPLETE, CANCEL = (
    f"POST /api/v1/orders/{{order_id}}/{what}" for what in ("payment", "completion", "cancellation")
)
# Answers that only somebody gets who has come to the right state before.
PLACES = {(PAY, 200), (PAY, 402), (PAY, 409), (COMPLETE, 200), (COMPLETE, 409), (CANCEL, 200), (CANCEL, 409)}

Asked = Counter[tuple[str, int]]

SETTINGS = settings(deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate], database=None)


def ask(case: Case[Any], asked: Asked, **options: Any) -> Response:
    """Make one request, count it, and hold the answer to the document."""
    response = case.call(**options)
    asked[case.operation.label, response.status_code] += 1
    case.validate_response(response, checks=CHECKS)
    return response


def follow_links(schema: schemathesis.BaseSchema, session: Session, asked: Asked) -> None:
    """Walk through the shop by the links of its answers: those it declares and those that names suggest."""
    wrong: list[BaseException] = []

    class Walk(schema.as_state_machine()):  # type: ignore[misc] # made at run time
        def call(self, case: Case[Any], **_options: Any) -> Response:
            try:
                return ask(case, asked, session=session)
            except Exception as error:
                wrong.append(error)
                raise

        def validate_response(self, *_: Any, **_options: Any) -> None:
            """`call` has done so."""

    for number in count():
        try:
            seed(number)(Walk).run(settings=settings(SETTINGS, max_examples=50, stateful_step_count=STEPS))
        except Flaky:  # the shop remembers earlier walks, so walking the same way again may lead elsewhere
            if wrong:
                raise
        if (asked.total() >= REQUESTS and asked.keys() >= PLACES) or asked.total() >= MOST:
            return


def try_each_operation(schema: schemathesis.BaseSchema, session: Session, asked: Asked) -> None:
    """Send what the document allows (positive), and what it does not (negative)."""
    for result in schema.get_all_operations():
        operation = result.ok()  # type: ignore[union-attr] # or the document would be broken
        for mode in GenerationMode:

            @settings(SETTINGS, max_examples=EXAMPLES, derandomize=True)
            @given(case=operation.as_strategy(generation_mode=mode))
            def answers_as_declared(case: Case[Any]) -> None:
                ask(case, asked, session=session)

            try:
                answers_as_declared()
            except Unsatisfiable:
                assert mode is GenerationMode.NEGATIVE  # an operation without parameters cannot be asked wrongly


@pytest.fixture(scope="module")
def asked(stack: Stack) -> Asked:
    """Every request made, by operation and status; each answer was held to the document."""
    counted: Asked = Counter()
    schema = schemathesis.openapi.from_url(f"{stack.shop.url}/openapi.json")
    with Session(stack.shop.url) as session:
        try_each_operation(schema, session, counted)
        follow_links(schema, session, counted)
    return counted


def test_every_answer_is_as_declared(asked: Asked) -> None:
    assert asked.total() >= REQUESTS
    assert {status for _, status in asked if status >= 500} == set()


def test_every_operation_was_asked_and_worked(stack: Stack, asked: Asked) -> None:
    """Those that need a state found it: an order to pay, one to complete, one to cancel."""
    paths = stack.shop.get("/openapi.json")["paths"]
    operations = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert {operation for operation, status in asked if status < 300} == operations


def test_every_state_was_reached(asked: Asked) -> None:
    assert asked.keys() >= PLACES
