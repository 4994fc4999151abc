"""The kinds of panels, each with what all of its kind have in common. The rest is said by the library's own methods."""

from string import ascii_uppercase

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    heatmap,
    logs,
    prometheus,
    stat,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    LogsSortOrder,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from grafana.source.elastic import Query
from grafana.source.frame import ALERTMANAGER, ELASTICSEARCH, PROMETHEUS


def promql(expression: str, legend: str = "") -> prometheus.Dataquery:
    """Return a query over the dashboard's time range."""
    return prometheus.Dataquery().expr(" ".join(expression.split())).legend_format(legend or "__auto").range()


def now(expression: str, legend: str = "") -> prometheus.Dataquery:
    """Return a query for one value a series, at the end of the time range."""
    return promql(expression, legend).instant()


def exemplars(expression: str, legend: str = "") -> prometheus.Dataquery:
    """Return a query that draws single requests too, each a click away from its trace."""
    return promql(expression, legend).exemplar(True)


def graph(title: str, question: str, unit: str, *queries: prometheus.Dataquery | Query) -> timeseries.Panel:
    """Return lines over time, half the page wide; the axis begins at 0."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(question)
        .unit(unit)
        .min(0)
        .span(12)
        .height(8)
        .fill_opacity(10)
        .line_width(1)
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        .datasource(ELASTICSEARCH if isinstance(queries[0], Query) else PROMETHEUS)
    )
    for ref_id, query in zip(ascii_uppercase, queries, strict=False):
        panel.with_target(query.ref_id(ref_id))
    return panel


def stacked(title: str, question: str, unit: str, *queries: prometheus.Dataquery | Query) -> timeseries.Panel:
    """Return bars over time whose parts add up."""
    return (
        graph(title, question, unit, *queries)
        .draw_style(GraphDrawStyle.BARS)
        .fill_opacity(70)
        .stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    )


def number(title: str, question: str, unit: str, *queries: prometheus.Dataquery) -> stat.Panel:
    """Return large numbers, a sixth of the page wide, coloured by the panel's thresholds."""
    panel = (
        stat.Panel()
        .title(title)
        .description(question)
        .unit(unit)
        .span(4)
        .height(5)
        .graph_mode(BigValueGraphMode.AREA)
        .color_mode(BigValueColorMode.VALUE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(steps())
        .datasource(PROMETHEUS)
    )
    for ref_id, query in zip(ascii_uppercase, queries, strict=False):
        panel.with_target(query.ref_id(ref_id))
    return panel


def bars(title: str, question: str, unit: str, query: prometheus.Dataquery) -> bargauge.Panel:
    """Return one bar a series, longest value readable beside it."""
    return (
        bargauge.Panel()
        .title(title)
        .description(question)
        .unit(unit)
        .min(0)
        .span(12)
        .height(8)
        .orientation(VizOrientation.HORIZONTAL)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(steps())
        .datasource(PROMETHEUS)
        .with_target(query.ref_id("A"))
    )


def distribution(title: str, question: str, unit: str, buckets: str) -> heatmap.Panel:
    """Return where the values of a histogram lie over time; `buckets` is an expression by `le`."""
    query = exemplars(buckets, "{{le}}").format(PromQueryFormat.HEATMAP).ref_id("A")
    return (
        heatmap.Panel()
        .title(title)
        .description(question)
        .unit(unit)
        .span(24)
        .height(9)
        .calculate(False)
        .color(heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges").steps(64))
        .y_axis(heatmap.YAxisConfig().unit(unit))
        .datasource(PROMETHEUS)
        .with_target(query)
    )


def listing(title: str, question: str, unit: str, columns: dict[str, str]) -> table.Panel:
    """Return a row for each label set; `columns` is each column's heading and its expression."""
    panel = table.Panel().title(title).description(question).unit(unit).span(24).height(9).datasource(PROMETHEUS)
    names = {}
    for ref_id, (heading, expression) in zip(ascii_uppercase, columns.items(), strict=False):
        panel.with_target(now(expression).format(PromQueryFormat.TABLE).ref_id(ref_id))
        names[f"Value #{ref_id}"] = heading
    if len(columns) == 1:  # Grafana numbers the values only where there are several
        names = {"Value": next(iter(columns))}
    panel.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    return panel.with_transformation(
        models.DataTransformerConfig(
            id_val="organize", options={"excludeByName": {"Time": True}, "renameByName": names}
        )
    )


def lines(title: str, question: str, query: Query) -> logs.Panel:
    """Return log lines, newest first; a line opens to its fields, whose links lead on to the trace."""
    return (
        logs.Panel()
        .title(title)
        .description(question)
        .span(24)
        .height(12)
        .show_time(True)
        .wrap_log_message(True)
        .enable_log_details(True)
        .sort_order(LogsSortOrder.DESCENDING)
        .datasource(ELASTICSEARCH)
        .with_target(query.ref_id("A"))
    )


def alerts(title: str, question: str) -> dashboard.Panel:
    """Return Alertmanager's alerts, each with the links to its runbook and its dashboard."""
    return (
        dashboard.Panel()
        .type("alertGroups")
        .title(title)
        .description(question)
        .span(24)
        .height(8)
        .datasource(ALERTMANAGER)
        .options({"alertmanager": "Alertmanager", "expandAll": True, "labels": "severity!=none"})
    )


def steps(*colours: tuple[float, str]) -> dashboard.ThresholdsConfig:
    """Return thresholds: green below the first, then each colour from its value on."""
    return dashboard.ThresholdsConfig().steps(
        [
            models.Threshold(color="green", value=None),
            *(models.Threshold(color=colour, value=value) for value, colour in colours),
        ]
    )


def floor(*colours: tuple[float, str]) -> dashboard.ThresholdsConfig:
    """Return thresholds where more is better: red below the first, then each colour from its value on."""
    return dashboard.ThresholdsConfig().steps(
        [
            models.Threshold(color="red", value=None),
            *(models.Threshold(color=colour, value=value) for value, colour in colours),
        ]
    )


def link(title: str, url: str) -> dashboard.DashboardLink:
    """Return a link for a panel's series; `url` may name the series' labels and the page's time range."""
    return dashboard.DashboardLink(title).url(url)


def unit(name: str) -> models.DynamicConfigValue:
    """Return the override that gives one column or series a unit of its own."""
    return models.DynamicConfigValue(id_val="unit", value=name)
