"""Drills: break one thing on purpose and watch the alert find its way to people, and back.

`catalogue` says what there is to break and what it should cause; `ways` break and mend it; `timeline` follows the
alerts through Prometheus and Alertmanager into mail and chats; `play` does one or all of them for a person.
"""
