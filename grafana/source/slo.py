"""SLO 与错误预算: what was promised, how fast the budget burns, what is left. The series: prometheus/rules/slo.yml."""

from grafana_foundation_sdk.builders.common import GraphThresholdsStyleConfig
from grafana_foundation_sdk.models.common import GraphThresholdsStyleMode
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.source.frame import assemble, prometheus, several
from grafana.source.panels import bars, floor, graph, listing, promql, steps, unit

UID = "ecommerce-slo"

CHOSEN = 'slo=~"$slo"'


def build() -> Dashboard:
    """Build the dashboard."""
    return assemble(
        UID,
        "SLO 与错误预算",
        "对用户的承诺守住了吗？错误预算还剩多少，按现在的速度能撑多久？",
        # The records are over all replicas: a promise is the shop's, not an instance's.
        variables=[prometheus(), several("slo", "目标 (SLO)", "label_values(slo:objective:ratio, slo)")],
        rows=[
            (
                "现在",
                [
                    listing(
                        "目标一览",
                        "每个目标承诺了什么，现在做到了多少，30 天的预算还剩多少？",
                        "percentunit",
                        {
                            "目标": f"max by (slo) (slo:objective:ratio{{{CHOSEN}}})",
                            "最近 1 小时达成": f"""
                                1 - max by (slo) (sum_over_time(slo:errors:rate5m{{{CHOSEN}}}[1h]))
                                / (max by (slo) (sum_over_time(slo:requests:rate5m{{{CHOSEN}}}[1h])) > 0)
                            """,
                            "剩余预算": f"max by (slo) ({left()})",
                            "燃烧率（1 小时）": f"max by (slo) (slo:burn_rate:1h{{{CHOSEN}}})",
                        },
                    )
                    .decimals(3)
                    .override_by_name("燃烧率（1 小时）", [unit("suffix: 倍")]),
                    bars(
                        "剩余错误预算",
                        "30 天的错误预算还剩多少？低于 0 即已违约。数据不足 30 天时按已有数据计算。",
                        "percentunit",
                        promql(f"max by (slo) ({left()})", "{{slo}}"),
                    )
                    .max(1)
                    .span(24)
                    .thresholds(floor((0.1, "orange"), (0.5, "green"))),
                ],
            ),
            (
                "燃烧率 (Burn rate)",
                [
                    graph(
                        "燃烧率：快（5 分钟与 1 小时）",
                        "预算正在被快速消耗吗？1 倍恰好 30 天用完；两个窗口同时超过 14.4 倍（红线）会立即告警。",
                        "suffix: 倍",
                        promql(f"slo:burn_rate:5m{{{CHOSEN}}}", "{{slo}} 5m"),
                        promql(f"slo:burn_rate:1h{{{CHOSEN}}}", "{{slo}} 1h"),
                    )
                    .thresholds(steps((14.4, "red")))
                    .thresholds_style(GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.LINE)),
                    graph(
                        "燃烧率：慢（6 小时与 3 天）",
                        "预算在悄悄流失吗？6 小时超过 6 倍（红线）立即告警，3 天超过 1 倍也会告警。",
                        "suffix: 倍",
                        promql(f"slo:burn_rate:6h{{{CHOSEN}}}", "{{slo}} 6h"),
                        promql(f"slo:burn_rate:3d{{{CHOSEN}}}", "{{slo}} 3d"),
                    )
                    .thresholds(steps((6, "red")))
                    .thresholds_style(GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.LINE)),
                ],
            ),
            (
                "分子与分母",
                [
                    graph(
                        "计入的请求",
                        "每个目标每秒有多少请求计入？（分母：太少时比例没有意义）",
                        "reqps",
                        promql(f"slo:requests:rate5m{{{CHOSEN}}}", "{{slo}}"),
                    ),
                    graph(
                        "未达标的请求",
                        "其中每秒有多少失败或太慢？（分子）",
                        "reqps",
                        promql(f"slo:errors:rate5m{{{CHOSEN}}}", "{{slo}}"),
                    ),
                ],
            ),
        ],
    )


def left() -> str:
    """Return the expression of the budget left, also in the minutes before its rule, which runs seldom, has a value.

    While there are under six hours of data, six hours and thirty days are the same.
    """
    return f"slo:budget_left:ratio{{{CHOSEN}}} or 1 - slo:burn_rate:6h{{{CHOSEN}}}"
