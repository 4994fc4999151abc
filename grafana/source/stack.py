"""监控栈自身: who watches the watchers."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.source.frame import assemble, prometheus, several
from grafana.source.panels import alerts, graph, listing, number, promql, stacked, steps, unit

UID = "ecommerce-stack"

CHOSEN = 'job=~"$job", instance=~"$instance"'
ES = 'job="elasticsearch-exporter"'
# One by one: a rate has no name, and without it their labels are the same, which Prometheus refuses.
LOST_IN_JAEGER = " + ".join(
    f'(sum(rate(otelcol_{what}_spans_total{{job="jaeger"}}[$__rate_interval])) or vector(0))'
    for what in ("receiver_refused", "receiver_failed", "exporter_send_failed", "exporter_enqueue_failed")
)


def build() -> Dashboard:
    """Build the dashboard."""
    return assemble(
        UID,
        "监控栈自身",
        "监控本身可靠吗：抓得到、存得下、告警送得出、日志与链路没有丢？",
        variables=[
            prometheus(),
            several("job", "任务 (job)", "label_values(up, job)"),
            several("instance", "实例 (instance)", 'label_values(up{job=~"$job"}, instance)'),
        ],
        rows=[
            (
                "现在",
                [
                    number(
                        "抓取失败的目标",
                        "有几个目标抓取不到？",
                        "short",
                        promql(f"count(up{{{CHOSEN}}} == 0) or vector(0)", "目标"),
                    ).thresholds(steps((1, "red"))),
                    number(
                        "打不开的页面",
                        "有几个页面从外部探测失败？",
                        "short",
                        promql("count(probe_success == 0) or vector(0)", "页面"),
                    ).thresholds(steps((1, "red"))),
                    number(
                        "规则求值失败",
                        "每分钟有多少次规则求值失败？失败的规则不会告警。",
                        "short",
                        promql(
                            "60 * sum(rate(prometheus_rule_evaluation_failures_total[$__rate_interval]))", "失败/分"
                        ),
                    ).thresholds(steps((0.1, "red"))),
                    number(
                        "送不到 Alertmanager",
                        "每分钟有多少条告警没送到 Alertmanager？",
                        "short",
                        promql(
                            """60 * (sum(rate(prometheus_notifications_errors_total[$__rate_interval]))
                            + sum(rate(prometheus_notifications_dropped_total[$__rate_interval])))""",
                            "失败/分",
                        ),
                    ).thresholds(steps((0.1, "red"))),
                    number(
                        "丢失的日志行",
                        "应用每分钟丢弃多少行日志？",
                        "short",
                        promql("60 * sum(rate(log_lines_dropped_total[$__rate_interval]))", "行/分"),
                    ).thresholds(steps((0.1, "red"))),
                    number(
                        "丢失的 span",
                        "应用与 Jaeger 每分钟丢弃多少 span？",
                        "short",
                        promql("60 * sum(rate(trace_spans_dropped_total[$__rate_interval]))", "应用/分"),
                        promql(
                            f"60 * ({LOST_IN_JAEGER})",
                            "Jaeger/分",
                        ),
                    ).thresholds(steps((0.1, "red"))),
                ],
            ),
            ("告警", [alerts("正在触发的告警", "现在该处理什么？展开一条，从那里打开处理手册 (runbook)。")]),
            (
                "目标与页面",
                [
                    listing(
                        "目标",
                        "每个目标抓取得到吗，一次抓取用多久、多少样本？",
                        "short",
                        {
                            "正常": f"up{{{CHOSEN}}}",
                            "抓取耗时": f"scrape_duration_seconds{{{CHOSEN}}}",
                            "样本数": f"scrape_samples_scraped{{{CHOSEN}}}",
                        },
                    ).override_by_name("抓取耗时", [unit("s")]),
                    graph(
                        "页面探测耗时",
                        "每个页面多久打开？",
                        "s",
                        promql("max by (service) (probe_duration_seconds)", "{{service}}"),
                    ),
                    graph(
                        "页面可用率",
                        "每个页面最近 1 小时有多大比例的时间打得开？",
                        "percentunit",
                        promql("avg by (service) (avg_over_time(probe_success[1h]))", "{{service}}"),
                    ).max(1),
                    graph(
                        "各组件内存",
                        "谁在占内存？（常驻内存，不含没有自带指标的组件）",
                        "bytes",
                        promql(f"sum by (job) (process_resident_memory_bytes{{{CHOSEN}}})", "{{job}}"),
                    ),
                    graph(
                        "各组件 CPU",
                        "谁在占 CPU？（1 为一个核）",
                        "short",
                        promql(
                            f"sum by (job) (rate(process_cpu_seconds_total{{{CHOSEN}}}[$__rate_interval]))", "{{job}}"
                        ),
                    ),
                ],
            ),
            (
                "Prometheus",
                [
                    graph(
                        "时间序列数",
                        "有多少活跃序列？突增说明某个标签失控。",
                        "short",
                        promql("sum(prometheus_tsdb_head_series)", "序列"),
                    ),
                    graph(
                        "写入率",
                        "每秒写入多少样本？",
                        "suffix: 样本/秒",
                        promql("sum(rate(prometheus_tsdb_head_samples_appended_total[$__rate_interval]))", "样本"),
                    ),
                    graph(
                        "存储",
                        "数据占多少磁盘？（块、内存映射与预写日志）",
                        "bytes",
                        promql("sum(prometheus_tsdb_storage_blocks_bytes)", "块"),
                        promql("sum(prometheus_tsdb_wal_storage_size_bytes)", "WAL"),
                        promql("sum(prometheus_tsdb_head_chunks_storage_size_bytes)", "head"),
                    ),
                    graph(
                        "规则组耗时",
                        "规则组算得完吗？",
                        "s",
                        promql(
                            'label_replace(topk(8, prometheus_rule_group_last_duration_seconds), "group", "$1",'
                            ' "rule_group", ".*;(.+)")',
                            "{{group}}",
                        ),
                    ),
                ],
            ),
            (
                "告警链路",
                [
                    stacked(
                        "Alertmanager 的告警",
                        "Alertmanager 手上有多少告警，各是什么状态？",
                        "short",
                        promql("sum by (state) (alertmanager_alerts)", "{{state}}"),
                    ),
                    graph(
                        "通知",
                        "每分钟经各渠道发出多少通知，失败多少？",
                        "suffix: 条/分",
                        promql(
                            """60 * sum by (integration)
                            (rate(alertmanager_notifications_total{integration=~"email|webhook"}[$__rate_interval]))""",
                            "{{integration}} 发出",
                        ),
                        promql(
                            """60 * sum by (integration)
                            (rate(alertmanager_notifications_failed_total{integration=~"email|webhook"}[$__rate_interval]))""",
                            "{{integration}} 失败",
                        ),
                    ),
                    stacked(
                        "AlertService 送达",
                        "每分钟经企业微信、钉钉、邮件送达多少消息，失败多少？",
                        "suffix: 条/分",
                        promql(
                            "60 * sum by (channel, result) (rate(alert_notifications_total[$__rate_interval]))",
                            "{{channel}} {{result}}",
                        ),
                    ).span(24),
                ],
            ),
            (
                "日志链路",
                [
                    graph(
                        "写出与索引",
                        "写出的行都进了 Elasticsearch 吗？",
                        "suffix: 行/秒",
                        promql("logs:lines_written:rate10m", "写出"),
                        promql("logs:lines_indexed:rate10m", "索引"),
                    ),
                    graph(
                        "Elasticsearch 索引与查询率",
                        "每秒索引多少文档、执行多少查询？",
                        "ops",
                        promql(
                            f"sum(rate(elasticsearch_indices_indexing_index_total{{{ES}}}[$__rate_interval]))", "索引"
                        ),
                        promql(
                            f"sum(rate(elasticsearch_indices_search_query_total{{{ES}}}[$__rate_interval]))", "查询"
                        ),
                    ),
                    graph(
                        "Elasticsearch 堆与磁盘使用率",
                        "堆和数据盘用了多少？磁盘 85% 起不再分配新分片。",
                        "percentunit",
                        promql(
                            f"""sum(elasticsearch_jvm_memory_used_bytes{{{ES}, area="heap"}})
                            / sum(elasticsearch_jvm_memory_max_bytes{{{ES}, area="heap"}})""",
                            "堆",
                        ),
                        promql(
                            f"""1 - min(elasticsearch_filesystem_data_available_bytes{{{ES}}}
                            / elasticsearch_filesystem_data_size_bytes{{{ES}}})""",
                            "磁盘",
                        ),
                    ).max(1),
                    stacked(
                        "Elasticsearch 拒绝与集群状态",
                        "每分钟拒绝多少写入与查询？集群是 red (2)、yellow (1) 还是 green (0)？",
                        "short",
                        promql(
                            f"""60 * sum by (type) (rate(elasticsearch_thread_pool_rejected_count{{{ES},
                            type=~"write|search"}}[$__rate_interval]))""",
                            "拒绝 {{type}}",
                        ),
                        promql(
                            f"""max(2 * elasticsearch_cluster_health_status{{{ES}, color="red"}})
                            + max(elasticsearch_cluster_health_status{{{ES}, color="yellow"}})""",
                            "集群状态",
                        ),
                    ),
                ],
            ),
            (
                "链路追踪",
                [
                    graph(
                        "span 的去向",
                        "每秒由应用送出、Jaeger 收到、写进存储的 span 各有多少？三线应接近。",
                        "suffix: span/秒",
                        promql("sum(rate(trace_spans_exported_total[$__rate_interval]))", "应用送出"),
                        promql("sum(rate(otelcol_receiver_accepted_spans_total[$__rate_interval]))", "Jaeger 收到"),
                        promql("sum(rate(otelcol_exporter_sent_spans_total[$__rate_interval]))", "写进存储"),
                    ),
                    graph(
                        "由 span 统计的请求率",
                        "按链路看，每个服务每秒处理多少请求？应与 HTTP 请求 RED 一致。",
                        "reqps",
                        promql(
                            """sum by (service_name) (rate(traces_span_metrics_calls_total{span_kind="SPAN_KIND_SERVER"}
                            [$__rate_interval]))""",
                            "{{service_name}}",
                        ),
                    ),
                ],
            ),
        ],
    )
