"""The two log shippers: rsyslog's file by rsyslog itself, and what both must say alike."""

import re
from pathlib import Path

import pytest
import yaml
from logstash_pipeline import PipelineError, Plugin, parse
from tools import Tool

ROOT = Path(__file__).resolve().parents[2]
RSYSLOG = (ROOT / "rsyslog/rsyslog.conf").read_text(encoding="utf-8")
GATE = (ROOT / "rsyslog/gate.conf").read_text(encoding="utf-8")
PIPELINE = (ROOT / "logstash/pipeline/ecommerce.conf").read_text(encoding="utf-8")
REFUSED = (ROOT / "logstash/pipeline/refused.conf").read_text(encoding="utf-8")


def test_rsyslog_loads_it(tool: Tool) -> None:
    check = ("-N1", "-f", str(ROOT / "rsyslog/rsyslog.conf"))
    done = tool("rsyslog", "rsyslogd", *check, flags=["--env=SHIPPER_PASSWORD=x", "--tmpfs=/var/spool/rsyslog"])
    assert done.returncode == 0, done.stderr


def test_rsyslog_refuses_a_wrong_file(tool: Tool, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "wrong.conf").write_text(RSYSLOG.replace('ruleset="lines"', 'rulesett="lines"'))
    check = ("-N1", "-f", str(tmp_path / "wrong.conf"))
    done = tool("rsyslog", "rsyslogd", *check, folder=tmp_path, flags=["--env=SHIPPER_PASSWORD=x"])
    assert done.returncode != 0
    assert "rulesett" in done.stderr


def test_nginx_loads_the_gate(tool: Tool) -> None:
    fill = (
        f"sed s/@RESOLVER@/127.0.0.11/ {ROOT}/rsyslog/gate.conf >/tmp/gate.conf; nginx -t -e stderr -c /tmp/gate.conf"
    )
    done = tool("rsyslog", "sh", "-c", fill, flags=["--tmpfs=/tmp"])
    assert done.returncode == 0, done.stderr


def test_rsyslog_sends_everything_through_the_gate() -> None:
    """What omelasticsearch asks Elasticsearch by itself is lost when it is refused as a whole."""
    servers = re.findall(r'server="([^"]+)"', RSYSLOG)
    assert len(servers) == 3
    assert set(servers) == {"http://127.0.0.1:9200"}
    assert "listen 127.0.0.1:9200;" in GATE


def test_what_rsyslog_sends_waits_on_disk() -> None:
    """Only the answers, which wait for nobody, are in memory."""
    assert re.findall(r'queue\.type="(\w+)"', RSYSLOG).count("Disk") == 3
    assert re.findall(r'name="(\w+)"[^()]*queue\.type="LinkedList"', RSYSLOG) == ["answers"]


def plugins(text: str, section: str, name: str) -> list[Plugin]:
    return [plugin for plugin in parse(text) if (plugin.section, plugin.name) == (section, name)]


@pytest.mark.parametrize("text", [PIPELINE, REFUSED], ids=["ecommerce", "refused"])
def test_logstash_pipelines_are_read(text: str) -> None:
    assert {plugin.section for plugin in parse(text)} == {"input", "filter", "output"}
    # what was left out on purpose: it prints nothing, and has no pattern to get wrong
    assert {plugin.name for plugin in parse(text)} <= {
        *("file", "dead_letter_queue", "mutate", "json", "date", "ruby", "elasticsearch")
    }


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("filter {", "filter"),
        ("filter {", "filters {"),
        ('action => "create"', 'action = "create"'),
        ('user => "shipper"', "user => "),
        ('json { source => "message" }', "json { source =>, }"),
        ("} else {", "} or {"),
        ("ilm_enabled => false", "ilm_enabled => false ilm_enabled => true"),
    ],
)
def test_what_logstash_would_not_start_with_is_noticed(right: str, wrong: str) -> None:
    assert right in PIPELINE
    with pytest.raises(PipelineError):
        parse(PIPELINE.replace(right, wrong, 1))


@pytest.mark.parametrize("text", [PIPELINE, REFUSED], ids=["ecommerce", "refused"])
def test_logstash_creates_and_never_manages(text: str) -> None:
    outputs = plugins(text, "output", "elasticsearch")
    assert outputs
    for output in outputs:
        assert output.settings["action"] == "create"
        assert output.settings["index"].endswith("-%{+YYYY.MM.dd}")
        assert not any(output.settings[name] for name in ("data_stream", "manage_template", "ilm_enabled"))


def test_every_event_has_one_way_out_of_logstash() -> None:
    unparsed, line = plugins(PIPELINE, "output", "elasticsearch")
    assert unparsed.conditions == ("[@metadata][reason]",)
    assert line.conditions == ("not ([@metadata][reason])",)
    assert line.settings["document_id"] == "%{eventId}"
    assert line.settings["index"] == "ecommerce-logs-%{+YYYY.MM.dd}"
    assert unparsed.settings["index"] == "ecommerce-logs-unparsed-%{+YYYY.MM.dd}"


def test_logstash_reads_from_the_beginning_and_remembers_on_its_volume() -> None:
    (files,) = plugins(PIPELINE, "input", "file")
    assert files.settings["start_position"] == "beginning"
    assert files.settings["sincedb_path"].startswith("/usr/share/logstash/data/")
    (refused,) = plugins(REFUSED, "input", "dead_letter_queue")
    assert (refused.settings["pipeline_id"], refused.settings["clean_consumed"]) == ("ecommerce", True)
    assert refused.settings["sincedb_path"].startswith("/usr/share/logstash/data/")


def test_logstash_parses_once_and_after_that_dates() -> None:
    names = [plugin.name for plugin in parse(PIPELINE) if plugin.section == "filter"]
    assert names.count("json") == 1
    assert names.index("json") < names.index("date")
    (date,) = plugins(PIPELINE, "filter", "date")
    assert date.settings["match"] == ["timestamp", "ISO8601"]


@pytest.mark.parametrize("text", [PIPELINE, REFUSED], ids=["ecommerce", "refused"])
def test_logstashs_ruby_is_balanced(text: str) -> None:
    """Ruby is not here either: what editing breaks first is a block left open, or an end too many."""
    for plugin in plugins(text, "filter", "ruby"):
        code = re.sub(r'"(?:\\.|[^"\\])*"', '""', plugin.settings["code"])
        for left, right in ("()", "[]", "{}"):
            assert code.count(left) == code.count(right)
        assert len(re.findall(r"^\s*(?:if|unless|def|begin)\b|\bdo\b", code, re.MULTILINE)) == len(
            re.findall(r"\bend\b", code)
        )


def test_both_write_the_same_documents() -> None:
    assert 'bulkId="line-id"' in RSYSLOG
    assert 'string="%$!line!eventId%"' in RSYSLOG
    assert "ecommerce-logs-%$!line!timestamp:1:4%.%$!line!timestamp:6:7%.%$!line!timestamp:9:10%" in RSYSLOG
    for reason in ("not JSON", "JSON, but not a line of ours: no usable timestamp or eventId"):
        assert f'"{reason}"' in RSYSLOG
        assert f'"{reason}"' in PIPELINE
    for text in (RSYSLOG, PIPELINE):
        assert "meta_all" in text
        assert "/var/log/ecommerce/*.log" in text


def test_logstashs_pipelines_are_where_its_file_says() -> None:
    pipelines = yaml.safe_load((ROOT / "logstash/pipelines.yml").read_text())
    for pipeline in pipelines:
        path = pipeline["path.config"].removeprefix("/usr/share/logstash/")
        assert (ROOT / "logstash" / path).is_file()
    settings = yaml.safe_load((ROOT / "logstash/logstash.yml").read_text())
    assert settings["pipeline.ecs_compatibility"] == "disabled"
    assert settings["dead_letter_queue.enable"] is True
    assert settings["queue.type"] == "persisted"
    by_id = {pipeline["pipeline.id"]: pipeline for pipeline in pipelines}
    # what was refused twice would go round for ever
    assert by_id["refused"]["dead_letter_queue.enable"] is False
