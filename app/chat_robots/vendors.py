"""What each vendor checks, and its words: from the vendors' documentation, and from answers that people published."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from uuid import uuid4

from chat_robots.limits import RateLimit

Mode = Literal["ok", "hang", "lost-answer", "disconnect", "5xx", "errcode", "rate-limit", "garbage"]
"""How a robot behaves. `lost-answer`: the message reaches the group, the answer never comes; `disconnect`: the
connection breaks off; `errcode`: HTTP 200, the group is gone."""

DINGTALK_BLOCK_SECONDS = 600.0
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Shown:
    """A message that reached the group."""

    vendor: str
    msgtype: str
    title: str
    content: str
    received_at: float
    id: str = field(default_factory=lambda: uuid4().hex)


class Verdict(Exception):  # noqa: N818 - an answer of the vendor's, not always an error of ours
    """Why a message was refused."""

    def __init__(self, errcode: int, errmsg: str) -> None:
        super().__init__(errmsg)
        self.errcode = errcode
        self.errmsg = errmsg


class Vendor(Protocol):
    """One vendor's robot in one group."""

    name: str
    limit: RateLimit
    mode: Mode

    def receive(self, query: Mapping[str, str], content_type: str, body: bytes) -> Shown:
        """Check a message as the vendor does; raise Verdict when it refuses it."""

    def verdict(self, kind: Literal["errcode", "rate-limit"]) -> Verdict:
        """Return the refusal that a mode asks for."""


class WeComRobot:
    """https://developer.work.weixin.qq.com/document/path/91770."""

    name = "wecom"

    def __init__(self, key: str, per_minute: int) -> None:
        self._key = key
        self.limit = RateLimit(per_minute)
        self.mode: Mode = "ok"

    def receive(self, query: Mapping[str, str], content_type: str, body: bytes) -> Shown:
        """Check the key, the rate, the type, then the size in bytes of UTF-8."""
        del content_type  # not looked at
        if not hmac.compare_digest(query.get("key", "").encode(), self._key.encode()):
            raise _wecom(93000, "invalid webhook url")
        if not self.limit.take():
            raise self.verdict("rate-limit")
        payload = _json_object(body)
        if payload is None:
            raise _wecom(40035, "invalid parameter. invalid Request Parameter")
        kind = payload.get("msgtype")
        if kind not in {"text", "markdown"}:
            raise _wecom(40008, "invalid message type")
        part = payload.get(kind)
        content = part.get("content") if isinstance(part, dict) else None
        if not isinstance(content, str) or not content:
            raise _wecom(44004, "empty content")
        longest = 2048 if kind == "text" else 4096
        if len(content.encode()) > longest:
            raise _wecom(40058, f"{kind}.content exceed max length {longest}. invalid Request Parameter")
        return Shown(self.name, kind, "", content, time.time())

    def verdict(self, kind: Literal["errcode", "rate-limit"]) -> Verdict:
        """Return the vendor's words for a robot that was removed, and for one that is too fast."""
        return _wecom(93000, "invalid webhook url") if kind == "errcode" else _wecom(45009, "api freq out of limit")


class DingTalkRobot:
    """https://open.dingtalk.com/document/orgapp/custom-robots-send-group-messages."""

    name = "dingtalk"

    def __init__(self, access_token: str, secret: str | None, per_minute: int) -> None:
        self._access_token = access_token
        self._secret = secret
        self.limit = RateLimit(per_minute, DINGTALK_BLOCK_SECONDS)
        self.mode: Mode = "ok"

    def receive(self, query: Mapping[str, str], content_type: str, body: bytes) -> Shown:
        """Check the token, the signature, the rate, the size, then the message."""
        if not hmac.compare_digest(query.get("access_token", "").encode(), self._access_token.encode()):
            raise Verdict(300005, "token is not exist")
        if self._secret is not None:
            self._check_signature(query, self._secret)
        if "json" not in content_type:
            raise Verdict(43004, "无效的HTTP HEADER Content-Type")
        if not self.limit.take():
            raise self.verdict("rate-limit")
        if len(body) > 20_000:  # noqa: PLR2004 - the vendor's number, in its words below
            raise Verdict(460101, "message too long, exceed 20000 bytes")
        payload = _json_object(body)
        if payload is None:
            raise Verdict(40035, "缺少参数 json")
        kind = payload.get("msgtype")
        if kind not in {"text", "markdown"}:
            raise Verdict(400105, "不支持的消息类型，请使用文档中支持的消息类型")
        part = payload.get(kind)
        part = part if isinstance(part, dict) else {}
        content, title = part.get("content" if kind == "text" else "text"), part.get("title", "")
        if not isinstance(content, str) or not content.strip():
            raise Verdict(40035, f"缺少参数 {kind}.{'content' if kind == 'text' else 'text'}")
        if kind == "markdown" and not (isinstance(title, str) and title.strip()):
            raise Verdict(40035, "缺少参数 markdown.title")
        return Shown(self.name, kind, str(title), content, time.time())

    def verdict(self, kind: Literal["errcode", "rate-limit"]) -> Verdict:
        """Return the vendor's words for a group that was dissolved, and for a robot that is too fast."""
        if kind == "errcode":
            return Verdict(400013, "群已被解散，请向其他群发消息")
        return Verdict(130101, "send too fast, exceed 20 times per minute")

    def _check_signature(self, query: Mapping[str, str], secret: str) -> None:
        """加签: sign is base64(HMAC-SHA256(secret, timestamp + line break + secret)), timestamp in milliseconds."""
        timestamp = query.get("timestamp", "")
        if not timestamp.isdecimal() or abs(int(timestamp[:20]) - time.time() * 1000) > _HOUR_MS:
            raise Verdict(310000, "description:机器人发送签名过期;solution:签名生成时间和发送时间请保持在一小时以内;")
        mac = hmac.new(secret.encode(), msg=f"{timestamp}\n{secret}".encode(), digestmod=hashlib.sha256)
        if not hmac.compare_digest(query.get("sign", "").encode(), base64.b64encode(mac.digest())):
            raise Verdict(
                310000,
                "description:机器人发送签名不匹配;solution:请确认签名和生成签名的时间戳必须都放在调用的网址中，"
                "请确认机器人的密钥加密和填写正确;",
            )


def _wecom(errcode: int, errmsg: str) -> Verdict:
    hint = f"{time.time_ns()}"
    more = f"more info at https://open.work.weixin.qq.com/devtool/query?e={errcode}"
    return Verdict(errcode, f"{errmsg}, hint: [{hint}], from ip: 127.0.0.1, {more}")


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return payload if isinstance(payload, dict) else None
