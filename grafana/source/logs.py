"""日志: what the services wrote, and a line's way to its trace."""

from grafana_foundation_sdk.builders.dashboard import TextBoxVariable
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.source import elastic
from grafana.source.elastic import CHOSEN, per_interval, percentile, recent
from grafana.source.frame import assemble, elasticsearch, prometheus, terms
from grafana.source.panels import graph, lines, promql, stacked

UID = "ecommerce-logs"


def build() -> Dashboard:
    """Build the dashboard."""
    completed = f"{CHOSEN} AND meta.event:request.completed"
    return assemble(
        UID,
        "日志",
        "服务写下了什么？展开一行，从 trace_id 打开链路，从 requestId 看同一请求的全部日志。",
        variables=[
            elasticsearch(),
            prometheus(),
            terms("service", "服务", "service"),
            terms("level", "级别", "level"),
            TextBoxVariable("query").label("查询 (Lucene)").default_value("*"),
        ],
        rows=[
            (
                "概览",
                [
                    stacked("日志量", "每个时间段各级别写了多少行？", "short", per_interval(CHOSEN, by="level")),
                    stacked("各服务日志量", "是谁写的？", "short", per_interval(CHOSEN, by="service")),
                    stacked(
                        "请求状态码",
                        "日志里的请求各以什么状态码结束？应与 HTTP 请求 RED 一致。",
                        "short",
                        per_interval(
                            f"{CHOSEN} AND meta.event:(request.completed OR request.failed)", by="meta.status"
                        ),
                    ),
                    graph(
                        "日志里的响应时间",
                        "由日志逐行算出的 P50 与 P95 是多少？",
                        "ms",
                        percentile(completed, "meta.responseTime", "50", "P50"),
                        percentile(completed, "meta.responseTime", "95", "P95"),
                    ),
                ],
            ),
            (
                "错误",
                [
                    stacked(
                        "错误类型",
                        "出的是哪些错误？",
                        "short",
                        per_interval(f"{CHOSEN} AND _exists_:meta.error.type", by="meta.error.type"),
                    ),
                    stacked(
                        "出错的路由",
                        "错误与警告发生在哪些路由？",
                        "short",
                        per_interval(f"{CHOSEN} AND level:(ERROR OR WARN)", by="meta.route"),
                    ),
                    lines("错误与警告", "最近出了什么问题？", recent(f"{CHOSEN} AND level:(ERROR OR WARN)", 200)),
                ],
            ),
            ("全部", [lines("日志", "最近写了什么？", recent(CHOSEN, 500))]),
            (
                "日志链路自身",
                [
                    graph(
                        "写出与索引",
                        "写出的行都到了 Elasticsearch 吗？两线应重合。",
                        "suffix: 行/秒",
                        promql("logs:lines_written:rate10m", "写出"),
                        promql("logs:lines_indexed:rate10m", "索引"),
                    ),
                    stacked(
                        "无法解析的行",
                        "有没有不是 JSON 的行？它们留在单独的索引里。",
                        "short",
                        elastic.per_interval("_index:ecommerce-logs-unparsed-*", alias="无法解析"),
                    ),
                ],
            ),
        ],
    )
