"""What people read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from around import Notifier, Robots, alert, group, until
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.alertmanager import Webhook
from notifier.channels.dingtalk import BYTES_MAX
from notifier.markup import DINGTALK, PLAIN, WECOM, Markup
from notifier.message import PAGES_MAX, Message

LIMITS = [(PLAIN, 2048), (WECOM, 4096), (DINGTALK, BYTES_MAX), (PLAIN, BYTES_MAX)]


def message(payload: dict[str, Any], zone: str = "Asia/Shanghai") -> Message:
    return Message("0123456789ab", Webhook.model_validate_json(json.dumps(payload)), ZoneInfo(zone))


def test_an_alert_in_plain_text() -> None:
    [page] = message(group()).pages(PLAIN, 2048)
    assert page == (
        "【告警】HighErrorRate：商店 5xx 错误率过高\n"
        "级别：警告 warning\n"
        "服务：ecommerce-api\n"
        "描述：第 0 个实例最近 5 分钟有 12.5% 的请求以 5xx 结束。\n"
        "时间：2026-11-24 10:03:04+08:00\n"
        "处置手册：http://portal.example.com/runbooks/HighErrorRate\n"
        "仪表板：http://grafana.example.com/d/ecommerce-red\n"
        "全部告警与静默：http://alertmanager.example.com\n"
        "编号：0123456789ab"
    )


def test_its_end_in_wecoms_markdown() -> None:
    [page] = message(group(alert(status="resolved"))).pages(WECOM, 4096)
    assert page.startswith('### <font color="info">【恢复】HighErrorRate：商店 5xx 错误率过高</font>\n')
    assert "**时间**：2026-11-24 10:03:04+08:00 – 2026-11-24 10:15:09+08:00（持续 12 分 5 秒）" in page
    assert "**触发时**：第 0 个实例最近 5 分钟有 12.5% 的请求以 5xx 结束。" in page, "not as if it still were so"
    assert "[处置手册](http://portal.example.com/runbooks/HighErrorRate) · [仪表板](http" in page


def test_dingtalk_breaks_lines() -> None:
    [page] = message(group()).pages(DINGTALK, 5000)
    assert page.startswith("### 【告警】HighErrorRate：商店 5xx 错误率过高  \n**级别**：警告 warning  \n")


def test_a_group_that_is_partly_over_tells_both() -> None:
    payload = group(alert(number=1), alert(number=2), alert(number=3, status="resolved"))
    made = message(payload)
    assert made.title == "【告警】HighErrorRate：商店 5xx 错误率过高（2 条）"
    text = made.text(PLAIN)
    assert (
        text.index("【告警】")
        < text.index("1. 第 1 个")
        < text.index("2. 第 2 个")
        < text.index("【恢复】")
        < text.index("第 3 个")
    )
    assert text.count("处置手册") == 2  # once a section, not once an alert


def test_the_zone_is_a_setting() -> None:
    assert "时间：2026-11-24 02:03:04+00:00" in message(group(), "UTC").text(PLAIN)


def test_the_end_of_time_is_no_crash() -> None:
    for zone in ("Pacific/Kiritimati", "America/Adak"):
        message(group(alert(status="resolved", endsAt="0001-01-01T00:00:00Z")), zone).text(PLAIN)


def test_a_label_makes_no_link_and_no_colour() -> None:
    evil = '[点我](http://evil.example.com) <font color="info">好</font> <@all>\n【恢复】都好了'
    for markup in (WECOM, DINGTALK):
        text = message(group(alert(annotations={"description": evil, "runbook_url": "javascript:alert(1)"}))).text(
            markup
        )
        assert "](http://evil" not in text
        assert "<@all>" not in text
        assert "javascript" not in text
        assert "\n【恢复】" not in text


def test_a_link_cannot_break_out_of_its_brackets() -> None:
    text = message(group(alert(annotations={"runbook_url": "http://a/b) [x](http://evil"}))).text(WECOM)
    assert "evil" not in text  # white space: no URL
    text = message(group(alert(annotations={"runbook_url": "http://a/b)[x](http://evil"}))).text(WECOM)
    assert "[处置手册](http://a/b%29%5Bx%5D%28http://evil)" in text


_any_text = st.text(max_size=400)
_alerts = st.lists(
    st.builds(
        lambda name, description, status: alert(
            "X", status=status, labels={"alertname": name}, annotations={"description": description, "summary": name}
        ),
        _any_text,
        st.text(max_size=50) | st.text("告警😀", min_size=800, max_size=1200),
        st.sampled_from(["firing", "resolved"]),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(alerts=_alerts, which=st.sampled_from(LIMITS))
def test_every_page_fits_and_has_the_id(alerts: list[dict[str, Any]], which: tuple[Markup, int]) -> None:
    markup, limit = which
    pages = message(group(*alerts)).pages(markup, limit)
    assert 1 <= len(pages) <= PAGES_MAX
    for number, page in enumerate(pages, 1):
        assert len(page.encode()) <= limit
        assert page.endswith("编号：0123456789ab" + (f"（{number}/{len(pages)}）" if len(pages) > 1 else ""))
    assert "【告警】" in pages[0] or "【恢复】" in pages[0]


def test_a_storm_is_cut_and_says_where_the_rest_is() -> None:
    storm = group(*(alert(number=number, annotations={"description": "很长" * 200}) for number in range(100)))
    pages = message(storm).pages(WECOM, 4096)
    assert len(pages) == PAGES_MAX
    assert "其余内容请到 Alertmanager 查看" in pages[-1]
    assert all("（续）" in page for page in pages[1:])


@pytest.mark.parametrize("style", ["text", "markdown"])
@pytest.mark.parametrize("vendor", ["wecom", "dingtalk"])
def test_a_long_group_arrives_in_order_within_the_vendors_limit(
    start: Callable[..., Notifier], robots: Robots, chats: dict[str, Any], vendor: str, style: str
) -> None:
    made = start(**chats, **{f"{vendor}_format": style})
    made.post(group(*(alert(number=number) for number in range(60))))
    pages = until(
        lambda: [texts for texts in [robots.shown(vendor)] if texts and f"（{len(texts)}/{len(texts)}）" in texts[-1]]
    )[0]
    assert len(pages) > 1
    assert {one["msgtype"] for one in robots.messages(vendor)} == {style}
    assert pages[0].startswith("### ") == (style == "markdown")
    assert ("](http" in pages[-1]) == (style == "markdown")
    told = [int(number) for number in re.findall(r"第 (\d+) 个实例", "\n".join(pages))]
    assert told == sorted(told)
    assert not made.dead_letters()
