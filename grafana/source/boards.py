"""The set of dashboards."""

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana.source import business, data, host, logs, overview, red, slo, stack

BOARDS = (overview, red, host, data, business, slo, logs, stack)


def render() -> dict[str, str]:
    """Return each file's name and its text."""
    models = [board.build() for board in BOARDS]
    encoder = JSONEncoder(ensure_ascii=False, indent=2, sort_keys=True)
    return {f"{model.uid}.json": encoder.encode(model) + "\n" for model in models}
