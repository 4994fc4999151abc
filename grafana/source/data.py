"""PostgreSQL 与 Redis USE: the stores under the shop, as their servers and as the shop itself see them."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.source.frame import assemble, instance, job, prometheus
from grafana.source.panels import distribution, graph, promql, stacked
from grafana.source.shop import CHOSEN, quantile

UID = "ecommerce-use-data"

# The variables choose the shop's replicas; of each server there is one, found by its exporter's job.
PG, REDIS = 'job="postgres-exporter"', 'job="redis-exporter"'
SHOP_DATABASE = f'{PG}, datname="shop"'


def build() -> Dashboard:
    """Build the dashboard."""
    return assemble(
        UID,
        "PostgreSQL 与 Redis USE",
        "慢或错的根源是不是数据库、缓存？它们快用完什么、谁在排队、什么在出错？",
        variables=[prometheus(), job("database_connections", "ecommerce-app"), instance("database_connections")],
        rows=[
            (
                "商店看到的数据库",
                [
                    graph(
                        "连接池使用率",
                        "每个副本的连接池用了多少？超过 80% 会告警，用完后请求排队。",
                        "percentunit",
                        promql(
                            f"""max by (instance) (database_connections{{{CHOSEN}}})
                            / max by (instance) (database_max_connections{{{CHOSEN}}})""",
                            "{{instance}}",
                        ),
                    ).max(1),
                    graph(
                        "查询耗时 P50 / P95 / P99",
                        "一条 SQL 用多长时间？",
                        "s",
                        *(
                            promql(quantile(share, "db_query_duration_seconds", CHOSEN), f"P{share * 100:.0f}")
                            for share in (0.5, 0.95, 0.99)
                        ),
                    ),
                    graph(
                        "各表查询率",
                        "哪张表被怎样读写？",
                        "ops",
                        promql(
                            f"""sum by (model, operation)
                            (rate(db_query_duration_seconds_count{{{CHOSEN}}}[$__rate_interval]))""",
                            "{{model}} {{operation}}",
                        ),
                    ),
                    graph(
                        "慢查询与失败的查询",
                        "每分钟有多少条 SQL 超过慢查询阈值（默认 1 秒）或失败？",
                        "suffix: 条/分",
                        promql(
                            f"60 * (sum(rate(db_slow_queries_total{{{CHOSEN}}}[$__rate_interval])) or vector(0))", "慢"
                        ),
                        promql(
                            f"60 * (sum(rate(db_query_errors_total{{{CHOSEN}}}[$__rate_interval])) or vector(0))",
                            "失败",
                        ),
                    ),
                    distribution(
                        "查询耗时分布",
                        "SQL 的耗时集中在哪里？",
                        "s",
                        f"sum by (le) (increase(db_query_duration_seconds_bucket{{{CHOSEN}}}[$__rate_interval]))",
                    ),
                ],
            ),
            (
                "PostgreSQL",
                [
                    graph(
                        "连接使用率（服务器）",
                        "全部客户端合计用了多少连接？超过 80% 会告警。",
                        "percentunit",
                        promql(
                            f"""sum by (server) (pg_stat_activity_count{{{PG}}})
                            / max by (server) (pg_settings_max_connections{{{PG}}})""",
                            "{{server}}",
                        ),
                    ).max(1),
                    stacked(
                        "连接状态",
                        "连接在做什么？长期 idle in transaction 会占住锁和连接。",
                        "short",
                        promql(f"sum by (state) (pg_stat_activity_count{{{SHOP_DATABASE}}})", "{{state}}"),
                    ),
                    graph(
                        "事务率",
                        "每秒提交、回滚多少事务？",
                        "ops",
                        promql(f"sum(rate(pg_stat_database_xact_commit{{{SHOP_DATABASE}}}[$__rate_interval]))", "提交"),
                        promql(
                            f"sum(rate(pg_stat_database_xact_rollback{{{SHOP_DATABASE}}}[$__rate_interval]))", "回滚"
                        ),
                    ),
                    graph(
                        "缓冲命中率",
                        "有多大比例的数据块在内存里找到？持续低于 99% 说明内存放不下常用数据。",
                        "percentunit",
                        promql(
                            f"""sum(rate(pg_stat_database_blks_hit{{{SHOP_DATABASE}}}[$__rate_interval]))
                            / ((sum(rate(pg_stat_database_blks_hit{{{SHOP_DATABASE}}}[$__rate_interval]))
                            + sum(rate(pg_stat_database_blks_read{{{SHOP_DATABASE}}}[$__rate_interval]))) > 0)""",
                            "命中率",
                        ),
                    ).max(1),
                    graph(
                        "最长事务与锁",
                        "最长的事务开了多久？有多少锁？",
                        "short",
                        promql(f"max(pg_stat_activity_max_tx_duration{{{SHOP_DATABASE}}})", "最长事务（秒）"),
                        promql(f"sum(pg_locks_count{{{SHOP_DATABASE}}})", "锁"),
                    ),
                    graph(
                        "死锁、冲突与临时文件",
                        "有没有死锁、恢复冲突，或因内存不够写临时文件的查询？",
                        "short",
                        promql(
                            f"sum(increase(pg_stat_database_deadlocks{{{SHOP_DATABASE}}}[$__rate_interval]))", "死锁"
                        ),
                        promql(
                            f"sum(increase(pg_stat_database_conflicts{{{SHOP_DATABASE}}}[$__rate_interval]))", "冲突"
                        ),
                        promql(
                            f"sum(increase(pg_stat_database_temp_files{{{SHOP_DATABASE}}}[$__rate_interval]))",
                            "临时文件",
                        ),
                    ),
                    graph(
                        "数据库大小",
                        "每个数据库占多少磁盘，增长多快？",
                        "bytes",
                        promql(
                            f'max by (datname) (pg_database_size_bytes{{{PG}, datname!~"template.*"}})', "{{datname}}"
                        ),
                    ).span(24),
                ],
            ),
            (
                "商店看到的缓存",
                [
                    graph(
                        "缓存命中率",
                        "有多大比例的读取在缓存里找到？分母是命中与未命中之和。",
                        "percentunit",
                        promql(
                            f"""sum by (cache_type) (rate(cache_hits_total{{{CHOSEN}}}[$__rate_interval]))
                            / ((sum by (cache_type) (rate(cache_hits_total{{{CHOSEN}}}[$__rate_interval]))
                            + sum by (cache_type) (rate(cache_misses_total{{{CHOSEN}}}[$__rate_interval]))) > 0)""",
                            "{{cache_type}}",
                        ),
                    ).max(1),
                    graph(
                        "缓存操作耗时 P95",
                        "一次缓存操作用多长时间？",
                        "s",
                        promql(
                            quantile(0.95, "cache_operation_duration_seconds", CHOSEN, "operation", "cache_type"),
                            "{{cache_type}} {{operation}}",
                        ),
                    ),
                ],
            ),
            (
                "Redis",
                [
                    graph(
                        "内存使用率",
                        "离 maxmemory 还有多远？超过 90% 会告警，再多就开始淘汰键。",
                        "percentunit",
                        promql(
                            f"max(redis_memory_used_bytes{{{REDIS}}}) / (max(redis_memory_max_bytes{{{REDIS}}}) > 0)",
                            "已用",
                        ),
                    ).max(1),
                    graph(
                        "客户端与被拒连接",
                        "有多少客户端连着、多少在阻塞等待、多少被拒绝？",
                        "short",
                        promql(f"sum(redis_connected_clients{{{REDIS}}})", "已连接"),
                        promql(f"sum(redis_blocked_clients{{{REDIS}}})", "阻塞"),
                        promql(
                            f"sum(increase(redis_rejected_connections_total{{{REDIS}}}[$__rate_interval]))", "被拒绝"
                        ),
                    ),
                    graph(
                        "命令率",
                        "每秒执行哪些命令？",
                        "ops",
                        promql(
                            f"topk(8, sum by (cmd) (rate(redis_commands_total{{{REDIS}}}[$__rate_interval])))",
                            "{{cmd}}",
                        ),
                    ),
                    graph(
                        "命令平均耗时",
                        "哪个命令慢？Redis 一次只做一件事，一个慢命令拖住所有人。",
                        "s",
                        promql(
                            f"""topk(8,
                            sum by (cmd) (rate(redis_commands_duration_seconds_total{{{REDIS}}}[$__rate_interval]))
                            / (sum by (cmd) (rate(redis_commands_total{{{REDIS}}}[$__rate_interval])) > 0))""",
                            "{{cmd}}",
                        ),
                    ),
                    graph(
                        "淘汰与过期",
                        "每秒有多少键因内存不足被淘汰、因到期被删除？",
                        "ops",
                        promql(f"sum(rate(redis_evicted_keys_total{{{REDIS}}}[$__rate_interval]))", "淘汰"),
                        promql(f"sum(rate(redis_expired_keys_total{{{REDIS}}}[$__rate_interval]))", "过期"),
                    ),
                    graph(
                        "失败的命令",
                        "每秒有多少命令被拒绝或失败？",
                        "ops",
                        promql(f"sum(rate(redis_commands_failed_calls_total{{{REDIS}}}[$__rate_interval]))", "失败"),
                        promql(
                            f"sum(rate(redis_commands_rejected_calls_total{{{REDIS}}}[$__rate_interval]))", "被拒绝"
                        ),
                    ),
                ],
            ),
        ],
    )
