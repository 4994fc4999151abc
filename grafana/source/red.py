"""HTTP 请求 RED: rate, errors, duration of each route."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.source.frame import assemble, instance, job, prometheus, several
from grafana.source.panels import distribution, exemplars, graph, link, listing, promql, unit
from grafana.source.shop import CHOSEN, COUNTED, quantile

UID = "ecommerce-red"

ROUTES = f'{CHOSEN}, {COUNTED}, route=~"$route"'
DURATION = "http_request_duration_seconds"

TO_LOGS = link(
    "该路由的日志",
    "/d/ecommerce-logs?var-query=meta.route:%22${__field.labels.route:percentencode}%22&${__url_time_range}",
)


def share(statuses: str) -> str:
    """Return the expression of the share of these statuses, by route: 0, not nothing, where there are none."""
    return f"""
        (
          sum by (route) (rate(http_requests_total{{{ROUTES}, status_code=~"{statuses}"}}[$__rate_interval]))
          or 0 * sum by (route) (rate(http_requests_total{{{ROUTES}}}[$__rate_interval]))
        )
        / (sum by (route) (rate(http_requests_total{{{ROUTES}}}[$__rate_interval])) > 0)
    """


def build() -> Dashboard:
    """Build the dashboard."""
    return assemble(
        UID,
        "HTTP 请求 RED",
        "哪个路由变慢了、出错了，从什么时候开始？点击延迟图上的圆点 (exemplar) 打开那一个请求的链路。",
        variables=[
            prometheus(),
            job("http_requests_total", "ecommerce-app"),
            instance("http_requests_total"),
            several("route", "路由", f'label_values(http_requests_total{{job=~"$job", {COUNTED}}}, route)'),
        ],
        rows=[
            (
                "各路由现在",
                [
                    listing(
                        "路由一览",
                        "所选时间范围内，每个路由各有多少请求、多大比例出错、P95 多久？",
                        "short",
                        {
                            "请求/秒": f"sum by (method, route) (rate(http_requests_total{{{ROUTES}}}[$__range])) > 0",
                            "5xx 比例": f"""
                                (sum by (method, route)
                                   (rate(http_requests_total{{{ROUTES}, status_code=~"5.."}}[$__range]))
                                 or 0 * sum by (method, route) (rate(http_requests_total{{{ROUTES}}}[$__range])))
                                / (sum by (method, route) (rate(http_requests_total{{{ROUTES}}}[$__range])) > 0)
                            """,
                            "P95（秒）": f"""
                                histogram_quantile(0.95, sum by (le, method, route)
                                (rate({DURATION}_bucket{{{ROUTES}}}[$__range]))) >= 0
                            """,
                        },
                    )
                    .override_by_name("5xx 比例", [unit("percentunit")])
                    .override_by_name("P95（秒）", [unit("s")]),
                ],
            ),
            (
                "请求率 (Rate)",
                [
                    graph(
                        "各路由请求率",
                        "每个路由每秒有多少请求？",
                        "reqps",
                        promql(
                            f"sum by (route) (rate(http_requests_total{{{ROUTES}}}[$__rate_interval]))", "{{route}}"
                        ),
                    ).data_links([TO_LOGS]),
                    graph(
                        "不计入的请求",
                        "健康检查、指标抓取和不匹配任何路由的请求每秒有多少？后者突增通常是扫描。",
                        "reqps",
                        promql(
                            f"""sum by (route) (rate(http_requests_total{{{CHOSEN},
                            route=~"unmatched|/healthz|/readyz|/metrics|/api/v1/metrics/.+"}}[$__rate_interval]))""",
                            "{{route}}",
                        ),
                    ),
                ],
            ),
            (
                "错误 (Errors)",
                [
                    graph(
                        "5xx 比例",
                        "每个路由有多大比例的请求因服务端错误失败？",
                        "percentunit",
                        promql(share("5.."), "{{route}}"),
                    ).data_links([TO_LOGS]),
                    graph(
                        "4xx 比例",
                        "每个路由有多大比例的请求被拒绝，或因客户端先离开 (499) 而中断？",
                        "percentunit",
                        promql(share("4.."), "{{route}}"),
                    ).data_links([TO_LOGS]),
                ],
            ),
            (
                "延迟 (Duration)",
                [
                    graph(
                        "响应时间 P50 / P95 / P99",
                        "一般的、慢的和最慢的请求各用多长时间？圆点是单个请求，点击打开它的链路。",
                        "s",
                        promql(quantile(0.5, DURATION, ROUTES), "P50"),
                        exemplars(quantile(0.95, DURATION, ROUTES), "P95"),
                        promql(quantile(0.99, DURATION, ROUTES), "P99"),
                    ),
                    graph(
                        "各路由 P95",
                        "慢的是哪个路由？",
                        "s",
                        exemplars(quantile(0.95, DURATION, ROUTES, "route"), "{{route}}"),
                    ).data_links([TO_LOGS]),
                    distribution(
                        "响应时间分布",
                        "请求的耗时集中在哪里，是不是分成快慢两群？",
                        "s",
                        f"sum by (le) (increase({DURATION}_bucket{{{ROUTES}}}[$__rate_interval]))",
                    ),
                    graph(
                        "首字节与末字节 P95",
                        "时间花在准备回答上（首字节），还是花在发送回答上（两线之差）？",
                        "s",
                        promql(quantile(0.95, "http_response_time_seconds", ROUTES), "首字节"),
                        exemplars(quantile(0.95, DURATION, ROUTES), "末字节"),
                    ),
                    graph(
                        "正在处理的请求",
                        "每个副本同时有多少请求在等待回答？持续上升说明处理不过来。",
                        "short",
                        promql(f"sum by (instance) (http_requests_in_progress{{{CHOSEN}}})", "{{instance}}"),
                    ),
                ],
            ),
            (
                "进程",
                [
                    graph(
                        "事件循环延迟 P99",
                        "是否有代码阻塞了事件循环？回调等待的时间越长，所有请求越慢。",
                        "s",
                        promql(quantile(0.99, "event_loop_lag_seconds", CHOSEN, "instance"), "{{instance}}"),
                    ),
                    graph(
                        "CPU 与垃圾回收",
                        "每个副本用了几个 CPU 核？其中垃圾回收停顿占多大比例的时间？",
                        "percentunit",
                        promql(
                            f"sum by (instance) (rate(process_cpu_seconds_total{{{CHOSEN}}}[$__rate_interval]))",
                            "CPU {{instance}}",
                        ),
                        promql(
                            f"sum by (instance) (rate(python_gc_pause_seconds_sum{{{CHOSEN}}}[$__rate_interval]))",
                            "GC {{instance}}",
                        ),
                    ),
                ],
            ),
        ],
    )
