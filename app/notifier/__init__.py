"""AlertService: takes Alertmanager's webhook and tells people, by WeCom (企业微信), DingTalk (钉钉) and email.

What it promises: a notification that was answered 202 is in the outbox, on disk, and reaches every channel that is set,
or becomes a dead letter that can be listed and sent again; a channel that hangs or fails delays no other.
"""
