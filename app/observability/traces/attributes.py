"""Attributes that are known to be fit for a span: set without the SDK's look at each of them."""

from collections.abc import Mapping

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.trace import Span


def put(span: Span, attributes: Mapping[str, str | int]) -> None:
    """Set attributes whose keys are texts of ours and whose values are texts and numbers.

    `Span.set_attributes` takes a microsecond for each, a third of what the process pays for a span. It is what is
    called where a limit of the SDK may apply (OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT, OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT), and
    on spans that are not the SDK's.
    """
    bounded = getattr(span, "_attributes", None)  # private, as what is in it; the test of the limits holds both
    if (
        type(bounded) is BoundedAttributes
        and bounded.max_value_len is None
        and (bounded.maxlen is None or len(bounded) + len(attributes) <= bounded.maxlen)
    ):
        bounded._dict.update(attributes)  # noqa: SLF001 - see above
    else:
        span.set_attributes(attributes)
