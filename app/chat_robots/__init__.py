"""Stand-ins for the group robots of WeCom (企业微信) and DingTalk (钉钉), with a page that shows what a phone would.

For the demo and for tests. They check what the vendors check (address, signature, size, rate) and answer in the
vendors' words; on command they fail in the ways that vendors do.
"""
