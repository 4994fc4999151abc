"""业务指标: what the shop is for. Each ratio stands beside its denominator: 100 % of three is no news."""

from grafana_foundation_sdk.builders.stat import Panel
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.source.frame import assemble, instance, job, prometheus
from grafana.source.panels import distribution, exemplars, graph, now, number, promql, stacked, unit
from grafana.source.shop import CHOSEN, quantile

UID = "ecommerce-business"

YUAN = "currencyCNY"


def total(series: str, matchers: str = "") -> str:
    """Return the expression of how much a counter grew in the time range, over all replicas."""
    chosen = f"{CHOSEN}, {matchers}" if matchers else CHOSEN
    return f"sum(increase({series}{{{chosen}}}[$__range]))"


def ratio(title: str, question: str, part: str, whole: str, whole_is: str) -> Panel:
    """Return a ratio in the time range and, under it, how many it is a ratio of."""
    return (
        number(title, question, "percentunit", now(f"{part} / ({whole} > 0)", "比例"), now(whole, f"分母：{whole_is}"))
        .override_by_query("B", [unit("short")])
        .decimals(1)
        .no_value("无")
    )


def build() -> Dashboard:
    """Build the dashboard."""
    created = total("orders_total", 'status="created"')
    return assemble(
        UID,
        "业务指标",
        "来了多少人，多少人买了，付成了多少，钱是多少？比例都给出分母。",
        variables=[prometheus(), job("orders_total", "ecommerce-app"), instance("orders_total")],
        rows=[
            (
                "比例（所选时间范围）",
                [
                    ratio(
                        "转化率",
                        "每次访问产生多少订单？",
                        created,
                        total("visitor_sessions_total"),
                        "访问数",
                    ),
                    ratio(
                        "订单支付率",
                        "创建的订单中有多大比例付了款？",
                        total("orders_total", 'status="paid"'),
                        created,
                        "订单数",
                    ),
                    ratio(
                        "订单取消率",
                        "创建的订单中有多大比例被取消？",
                        total("orders_total", 'status="cancelled"'),
                        created,
                        "订单数",
                    ),
                    ratio(
                        "支付成功率",
                        "支付尝试中有多大比例成功？低于 75% 会告警。",
                        total("payments_total", 'result="successful"'),
                        total("payments_total"),
                        "支付尝试",
                    ),
                    ratio(
                        "登录成功率",
                        "登录尝试中有多大比例成功？骤降可能是有人在猜密码。",
                        total("user_logins_total", 'result="success"'),
                        total("user_logins_total"),
                        "登录尝试",
                    ),
                    number(
                        "平均订单金额",
                        "一个订单平均多少钱？分母是创建的订单数。",
                        YUAN,
                        now(
                            f"{total('order_value_cents_sum')} / ({total('order_value_cents_count')} > 0) / 100",
                            "平均",
                        ),
                        now(total("order_value_cents_count"), "分母：订单数"),
                    )
                    .override_by_query("B", [unit("short")])
                    .decimals(1)
                    .no_value("无"),
                ],
            ),
            (
                "用户",
                [
                    graph(
                        "活跃用户",
                        "最近 5 分钟有多少不同的登录用户发出过请求？（各副本报告同一个数，取最大值）",
                        "short",
                        promql(f"max(active_users{{{CHOSEN}}} >= 0)", "活跃用户"),
                    ),
                    stacked(
                        "访问、注册与登录",
                        "每分钟有多少访问、新用户、成功与失败的登录？",
                        "suffix: 次/分",
                        promql(f"60 * sum(rate(visitor_sessions_total{{{CHOSEN}}}[$__rate_interval]))", "访问"),
                        promql(f"60 * sum(rate(users_registered_total{{{CHOSEN}}}[$__rate_interval]))", "注册"),
                        promql(
                            f"60 * sum by (result) (rate(user_logins_total{{{CHOSEN}}}[$__rate_interval]))",
                            "登录 {{result}}",
                        ),
                    ),
                ],
            ),
            (
                "订单",
                [
                    graph(
                        "漏斗",
                        "访问、下单、付款、完成：人在哪一步离开？",
                        "suffix: 次/分",
                        promql(f"60 * sum(rate(visitor_sessions_total{{{CHOSEN}}}[$__rate_interval]))", "访问"),
                        *(
                            promql(
                                f'60 * sum(rate(orders_total{{{CHOSEN}, status="{status}"}}[$__rate_interval]))', name
                            )
                            for status, name in (("created", "下单"), ("paid", "付款"), ("completed", "完成"))
                        ),
                    ),
                    stacked(
                        "没有成的订单",
                        "每分钟有多少订单被取消、支付失败，多少下单因缺货被拒绝？",
                        "suffix: 单/分",
                        promql(
                            f'60 * sum(rate(orders_total{{{CHOSEN}, status="cancelled"}}[$__rate_interval]))', "取消"
                        ),
                        promql(
                            f'60 * sum(rate(orders_total{{{CHOSEN}, status="payment_failed"}}[$__rate_interval]))',
                            "支付失败",
                        ),
                        promql(f"60 * sum(rate(stock_shortages_total{{{CHOSEN}}}[$__rate_interval]))", "缺货"),
                    ),
                    graph(
                        "下单金额",
                        "每小时下单多少钱？（已创建的订单，未必付款）",
                        YUAN,
                        promql(f"36 * sum(rate(order_value_cents_sum{{{CHOSEN}}}[$__rate_interval]))", "元/小时"),
                    ),
                    graph(
                        "订单确认通知",
                        "每分钟发出多少订单确认？应与付款一致。",
                        "suffix: 条/分",
                        promql(f"60 * sum(rate(order_notifications_total{{{CHOSEN}}}[$__rate_interval]))", "确认"),
                        promql(
                            f'60 * sum(rate(orders_total{{{CHOSEN}, status="paid"}}[$__rate_interval]))', "付款的订单"
                        ),
                    ),
                    distribution(
                        "订单金额分布",
                        "订单金额集中在哪里？（单位：分）",
                        "short",
                        f"sum by (le) (increase(order_value_cents_bucket{{{CHOSEN}}}[$__rate_interval]))",
                    ),
                ],
            ),
            (
                "支付",
                [
                    stacked(
                        "支付结果",
                        "每分钟有多少支付成功 (successful)、被银行拒绝 (declined)、得不到网关回答 (error)？",
                        "suffix: 笔/分",
                        promql(
                            f"60 * sum by (result) (rate(payments_total{{{CHOSEN}}}[$__rate_interval]))", "{{result}}"
                        ),
                    ),
                    graph(
                        "支付耗时 P50 / P95 / P99",
                        "支付网关用多长时间回答（含重试）？",
                        "s",
                        *(
                            exemplars(quantile(share, "payment_duration_seconds", CHOSEN), f"P{share * 100:.0f}")
                            for share in (0.5, 0.95, 0.99)
                        ),
                    ),
                ],
            ),
        ],
    )
