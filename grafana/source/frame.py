"""What every dashboard has: variables, links to the others, and over its panels the alerts and faults of the time."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.common import DataSourceRef

PROMETHEUS = DataSourceRef(type_val="prometheus", uid="${datasource}")
ELASTICSEARCH = DataSourceRef(type_val="elasticsearch", uid="${logs}")
ALERTMANAGER = DataSourceRef(type_val="alertmanager", uid="alertmanager")

TAG = "ecommerce"
SCHEMA_VERSION = (
    42  # Grafana 12's, and the last of this format; the library still says 41, which differs in nothing here
)

Panel = Builder[models.Panel]
Row = tuple[str, Sequence[Panel]]


def assemble(
    uid: str, title: str, question: str, *, variables: Sequence[Builder[models.VariableModel]], rows: Sequence[Row]
) -> models.Dashboard:
    """Build a dashboard of rows, each a heading and its panels; `question` is what the whole page answers."""
    builder = (
        builders.Dashboard(title)
        .uid(uid)
        .description(question)
        .tags([TAG])
        .readonly()
        .refresh("10s")
        .time("now-1h", "now")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .variables(list(variables))
        .annotation(_alerts())
        .annotation(_faults())
        .link(_other_dashboards())
    )
    for heading, panels in rows:
        builder.with_row(builders.Row(heading))
        for panel in panels:
            builder.with_panel(panel)
    model = builder.build()
    model.schema_version = SCHEMA_VERSION
    for number, panel_or_row in enumerate(model.panels or [], start=1):
        panel_or_row.id_val = number
    return model


def prometheus() -> Builder[models.VariableModel]:
    """Return the variable that chooses among several Prometheus."""
    return _data_source("datasource", "Prometheus", "prometheus")


def elasticsearch() -> Builder[models.VariableModel]:
    """Return the variable that chooses among several Elasticsearch."""
    return _data_source("logs", "Elasticsearch", "elasticsearch")


def job(series: str, chosen: str) -> Builder[models.VariableModel]:
    """Return the variable of the jobs that have `series`; `chosen` at first."""
    return (
        _labels("job", "任务 (job)", f"label_values({series}, job)")
        .current(models.VariableOption(selected=True, text=chosen, value=chosen))
        .include_all(False)
        .multi(False)
    )


def instance(series: str) -> Builder[models.VariableModel]:
    """Return the variable of the instances (replicas) of the chosen job; all at first."""
    return several("instance", "实例 (instance)", f'label_values({series}{{job=~"$job"}}, instance)')


def several(name: str, label: str, query: str) -> Builder[models.VariableModel]:
    """Return a variable of which any number can be chosen; all at first."""
    return _all_of(_labels(name, label, query), ".*")


def terms(name: str, label: str, field: str) -> Builder[models.VariableModel]:
    """Return the variable of the values that a field of the log lines has; all at first."""
    query = f'{{"find": "terms", "field": "{field}"}}'
    return _all_of(
        builders.QueryVariable(name)
        .label(label)
        .datasource(ELASTICSEARCH)
        .query(query)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED),
        "*",
    )


def _labels(name: str, label: str, query: str) -> builders.QueryVariable:
    return (
        builders.QueryVariable(name)
        .label(label)
        .datasource(PROMETHEUS)
        .query(query)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
    )


def _all_of(variable: builders.QueryVariable, pattern: str) -> builders.QueryVariable:
    return (
        variable.multi(True)
        .include_all(True)
        .all_value(pattern)
        .current(models.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def _data_source(name: str, text: str, kind: str) -> Builder[models.VariableModel]:
    return (
        builders.DatasourceVariable(name)
        .label(f"数据源 ({text})")
        .type(kind)
        .current(models.VariableOption(selected=True, text=text, value=kind))
    )


def _alerts() -> Builder[models.AnnotationQuery]:
    # severity none is the heartbeat, which always fires
    return (
        builders.AnnotationQuery()
        .name("触发的告警")
        .datasource(DataSourceRef(type_val="prometheus", uid="prometheus"))
        .enable(True)
        .icon_color("red")
        .expr('ALERTS{alertstate="firing", severity!="none"}')
    )


def _faults() -> Builder[models.AnnotationQuery]:
    # from the first scrape that saw the fault to the last
    return (
        builders.AnnotationQuery()
        .name("打开的故障开关")
        .datasource(DataSourceRef(type_val="prometheus", uid="prometheus"))
        .enable(True)
        .icon_color("purple")
        .expr("max by (fault) (fault_active) > 0")
    )


def _other_dashboards() -> Builder[models.DashboardLink]:
    return (
        builders.DashboardLink("电商系统仪表盘")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .keep_time(True)
    )
