"""The saved searches: lines as a list, for whoever has to read them one by one."""

from dataclasses import dataclass

from kibana.source.panels import ERRORS, FAILED


@dataclass(frozen=True)
class Search:
    """One list of lines, the newest first."""

    id: str
    title: str
    description: str
    kql: str
    columns: tuple[str, ...]


ERROR_LINES = Search(
    id="ecommerce-logs-errors",
    title="错误日志",
    description="ERROR 级别的每一行，最新的在前。",
    kql=ERRORS,
    columns=("service", "message", "meta.error.type", "requestId", "trace_id"),
)
SEARCHES = (
    ERROR_LINES,
    Search(
        id="ecommerce-logs-failed-requests",
        title="失败的请求",
        description="每个以 5xx 结束的请求一行，最新的在前；用 requestId 或 trace_id 找到它的其余各行。",
        kql=FAILED,
        columns=("service", "meta.method", "meta.url", "meta.status", "meta.responseTime", "requestId", "trace_id"),
    ),
    Search(
        id="ecommerce-logs-orders",
        title="订单日志",
        description="提到订单的每一行，最新的在前；加上 meta.orderId 只看一个订单，用 trace_id 找到同一请求的各行。",
        kql="meta.orderId: *",
        columns=("meta.orderId", "service", "level", "message", "userId", "trace_id"),
    ),
)
