"""电商系统监控面板: is the shop well, at one glance."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.source.frame import assemble, instance, job, prometheus
from grafana.source.panels import alerts, exemplars, floor, graph, link, now, number, promql, stacked, steps
from grafana.source.shop import CHOSEN, REQUESTS, quantile

UID = "ecommerce-overview"

ERRORS = f"""
    (sum(rate(http_requests_total{{{REQUESTS}, status_code=~"5.."}}[$__rate_interval])) or vector(0))
    / (sum(rate(http_requests_total{{{REQUESTS}}}[$__rate_interval])) > 0)
"""


def build() -> Dashboard:
    """Build the dashboard."""
    return assemble(
        UID,
        "电商系统监控面板",
        "商店现在好不好？用户能不能下单、付款？",
        variables=[prometheus(), job("orders_total", "ecommerce-app"), instance("up")],
        rows=[
            (
                "现在",
                [
                    number(
                        "活跃用户数",
                        "最近 5 分钟有多少不同的登录用户发出过请求？各副本报告同一个计数，所以取最大值，不求和。",
                        "short",
                        # NaN until it has been counted for the first time
                        promql("max(active_users{" + CHOSEN + "} >= 0)", "活跃用户"),
                    ),
                    number(
                        "错误率", "有多大比例的请求以 5xx 结束？超过 5% 会告警。", "percentunit", promql(ERRORS, "5xx")
                    ).thresholds(steps((0.01, "orange"), (0.05, "red"))),
                    number(
                        "P95 响应时间",
                        "95% 的请求在多长时间内完成？超过 1 秒会告警。",
                        "s",
                        promql(quantile(0.95, "http_request_duration_seconds", REQUESTS), "P95"),
                    ).thresholds(steps((0.5, "orange"), (1, "red"))),
                    number(
                        "订单数",
                        "所选时间范围内创建了多少订单？",
                        "short",
                        now(f'sum(increase(orders_total{{{CHOSEN}, status="created"}}[$__range]))', "订单"),
                    ).decimals(0),
                    number(
                        "支付成功率",
                        "所选时间范围内有多大比例的支付成功？分母是全部支付尝试。",
                        "percentunit",
                        now(
                            f"""sum(increase(payments_total{{{CHOSEN}, result="successful"}}[$__range]))
                            / (sum(increase(payments_total{{{CHOSEN}}}[$__range])) > 0)""",
                            "成功率",
                        ),
                    ).thresholds(floor((0.75, "orange"), (0.9, "green"))),
                    number(
                        "触发的告警",
                        "现在有几条告警在触发？详情见页面底部。",
                        "short",
                        promql('count(ALERTS{alertstate="firing", severity!="none"}) or vector(0)', "告警"),
                    ).thresholds(steps((1, "red"))),
                ],
            ),
            (
                "请求",
                [
                    graph(
                        "HTTP请求率",
                        "每秒有多少请求，各以什么状态码结束？（所有副本之和，不含健康检查与指标抓取）",
                        "reqps",
                        promql(
                            f"sum by (status_code) (rate(http_requests_total{{{REQUESTS}}}[$__rate_interval]))",
                            "{{status_code}}",
                        ),
                        promql(f"sum(rate(http_requests_total{{{REQUESTS}}}[$__rate_interval]))", "合计"),
                    ).data_links([link("按路由查看 (RED)", "/d/ecommerce-red?${__url_time_range}")]),
                    graph(
                        "平均响应时间",
                        "一个请求平均用多长时间？总时间除以总次数：对每个副本的平均值再取平均会算错。",
                        "s",
                        promql(
                            f"""sum(rate(http_request_duration_seconds_sum{{{REQUESTS}}}[$__rate_interval]))
                            / (sum(rate(http_request_duration_seconds_count{{{REQUESTS}}}[$__rate_interval])) > 0)""",
                            "平均",
                        ),
                        exemplars(quantile(0.95, "http_request_duration_seconds", REQUESTS), "P95"),
                    ),
                ],
            ),
            (
                "业务",
                [
                    stacked(
                        "订单",
                        "每分钟有多少订单进入各个状态？",
                        "suffix: 单/分",
                        promql(
                            f"60 * sum by (status) (rate(orders_total{{{CHOSEN}}}[$__rate_interval]))", "{{status}}"
                        ),
                    ).data_links([link("业务指标", "/d/ecommerce-business?${__url_time_range}")]),
                    stacked(
                        "支付",
                        "每分钟有多少支付成功、被银行拒绝、得不到支付网关的回答？",
                        "suffix: 笔/分",
                        promql(
                            f"60 * sum by (result) (rate(payments_total{{{CHOSEN}}}[$__rate_interval]))", "{{result}}"
                        ),
                    ).data_links([link("业务指标", "/d/ecommerce-business?${__url_time_range}")]),
                ],
            ),
            (
                "告警",
                [alerts("正在触发的告警", "现在该处理什么？展开一条告警，从那里打开处理手册 (runbook) 与对应仪表盘。")],
            ),
        ],
    )
