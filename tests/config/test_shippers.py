"""The two log shippers: rsyslog's file by rsyslog itself, and what both must say alike."""

import re
from pathlib import Path

import pytest
import yaml
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


@pytest.mark.parametrize("text", [PIPELINE, REFUSED], ids=["ecommerce", "refused"])
def test_logstash_pipelines_are_balanced(text: str) -> None:
    # there is no Logstash here to ask; a brace left open is what editing breaks first
    bare = re.sub(r"#.*|'[^']*'|\"[^\"]*\"|/\\A.*?\\z/", "", text)
    assert bare.count("{") == bare.count("}")
    assert bare.count("[") == bare.count("]")


@pytest.mark.parametrize("text", [PIPELINE, REFUSED], ids=["ecommerce", "refused"])
def test_logstash_creates_and_never_manages(text: str) -> None:
    outputs = text.split("output {")[1].split("elasticsearch {")[1:]
    assert outputs
    for output in outputs:
        for setting in (
            'action => "create"',
            "data_stream => false",
            "manage_template => false",
            "ilm_enabled => false",
        ):
            assert setting in output


def test_both_write_the_same_documents() -> None:
    assert 'bulkId="line-id"' in RSYSLOG
    assert 'string="%$!line!eventId%"' in RSYSLOG
    assert 'document_id => "%{eventId}"' in PIPELINE
    assert "ecommerce-logs-%$!line!timestamp:1:4%.%$!line!timestamp:6:7%.%$!line!timestamp:9:10%" in RSYSLOG
    assert 'index => "ecommerce-logs-%{+YYYY.MM.dd}"' in PIPELINE
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
