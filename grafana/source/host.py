"""主机 USE: utilisation, saturation and errors of the machine, resource by resource."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.source.frame import assemble, instance, job, prometheus
from grafana.source.panels import bars, graph, promql, stacked, steps
from grafana.source.shop import CHOSEN

UID = "ecommerce-use-host"

# What a container host brings along by the dozen: not the machine's own.
DEVICES = 'device!~"lo|veth.*|docker.*|br-.*"'
# Linux shows network counters of the reader's own namespace only, whichever /proc it reads.
NAMESPACE = "（node-exporter 在容器网络里时，看到的是它自己的网卡；在主机网络里运行才是主机的。）"
DISKS = 'device!~"loop.*|ram.*|dm-.*"'


def rate(series: str, *matchers: str, by: str = "instance") -> str:
    """Return the expression of a counter's rate, added up."""
    return f"sum by ({by}) (rate({series}{{{', '.join([CHOSEN, *matchers])}}}[$__rate_interval]))"


def build() -> Dashboard:
    """Build the dashboard."""
    return assemble(
        UID,
        "主机 USE",
        "机器的哪种资源快用完了 (Utilization)、有人在排队 (Saturation)、在出错 (Errors)？",
        variables=[prometheus(), job("node_uname_info", "node"), instance("node_uname_info")],
        rows=[
            (
                "CPU",
                [
                    stacked(
                        "CPU 使用率",
                        "CPU 忙于什么？（所有核的占比；不含空闲与等待磁盘）",
                        "percentunit",
                        promql(
                            f"""sum by (mode)
                            (rate(node_cpu_seconds_total{{{CHOSEN}, mode!~"idle|iowait"}}[$__rate_interval]))
                            / on () group_left count(node_cpu_seconds_total{{{CHOSEN}, mode="idle"}})""",
                            "{{mode}}",
                        ),
                    ).max(1),
                    graph(
                        "CPU 饱和度",
                        "有多少任务在等 CPU？负载除以核数大于 1、等待比例明显大于 0，就是在排队。",
                        "percentunit",
                        promql(
                            f"""max by (instance) (node_load1{{{CHOSEN}}})
                            / count by (instance) (node_cpu_seconds_total{{{CHOSEN}, mode="idle"}})""",
                            "1 分钟负载 / 核数",
                        ),
                        promql(rate("node_pressure_cpu_waiting_seconds_total"), "有任务在等 CPU 的时间 (PSI)"),
                    ),
                ],
            ),
            (
                "内存",
                [
                    graph(
                        "内存使用率",
                        "有多大比例的内存不换出就要不到了？超过 90% 会告警。",
                        "percentunit",
                        promql(
                            f"""1 - max by (instance) (node_memory_MemAvailable_bytes{{{CHOSEN}}})
                            / max by (instance) (node_memory_MemTotal_bytes{{{CHOSEN}}})""",
                            "{{instance}}",
                        ),
                    ).max(1),
                    graph(
                        "内存饱和度与错误",
                        "内存是否不够：有任务在等内存、从磁盘取回内存页、有进程因内存耗尽被杀 (OOM)？",
                        "short",
                        promql(rate("node_pressure_memory_waiting_seconds_total"), "有任务在等内存的时间比例 (PSI)"),
                        promql(rate("node_vmstat_pgmajfault"), "主缺页 / 秒"),
                        promql(
                            f"sum by (instance) (increase(node_vmstat_oom_kill{{{CHOSEN}}}[$__rate_interval]))",
                            "OOM 次数",
                        ),
                    ),
                ],
            ),
            (
                "磁盘",
                [
                    graph(
                        "磁盘使用率",
                        "每块磁盘有多大比例的时间在忙？",
                        "percentunit",
                        promql(rate("node_disk_io_time_seconds_total", DISKS, by="instance, device"), "{{device}}"),
                    ),
                    graph(
                        "磁盘饱和度",
                        "每块磁盘平均有多少请求在排队？有多少时间有任务在等磁盘 (PSI)？",
                        "short",
                        promql(
                            rate("node_disk_io_time_weighted_seconds_total", DISKS, by="instance, device"),
                            "{{device}} 队列",
                        ),
                        promql(rate("node_pressure_io_waiting_seconds_total"), "PSI"),
                    ),
                    graph(
                        "磁盘吞吐",
                        "每秒读写多少字节？",
                        "Bps",
                        promql(rate("node_disk_read_bytes_total", DISKS, by="instance, device"), "{{device}} 读"),
                        promql(rate("node_disk_written_bytes_total", DISKS, by="instance, device"), "{{device}} 写"),
                    ),
                    bars(
                        "文件系统使用率",
                        "每个文件系统用了多少？85% 起 Elasticsearch 不再分配新分片，95% 起索引变为只读。",
                        "percentunit",
                        promql(
                            "1 - min by (instance, device)"
                            ' (instance_device:node_filesystem_avail:ratio{instance=~"$instance"})',
                            "{{device}}",
                        ),
                    )
                    .max(1)
                    .thresholds(steps((0.8, "orange"), (0.9, "red"))),
                ],
            ),
            (
                "网络",
                [
                    graph(
                        "网络流量",
                        "每块网卡每秒收发多少字节？" + NAMESPACE,
                        "Bps",
                        promql(
                            rate("node_network_receive_bytes_total", DEVICES, by="instance, device"), "{{device}} 收"
                        ),
                        promql(
                            rate("node_network_transmit_bytes_total", DEVICES, by="instance, device"), "{{device}} 发"
                        ),
                    ),
                    graph(
                        "网络丢包、错误与重传",
                        "有没有包被丢弃、出错，或需要 TCP 重传？" + NAMESPACE,
                        "pps",
                        promql(
                            f"{rate('node_network_receive_drop_total', DEVICES)}"
                            f" + {rate('node_network_transmit_drop_total', DEVICES)}",
                            "丢弃",
                        ),
                        promql(
                            f"{rate('node_network_receive_errs_total', DEVICES)}"
                            f" + {rate('node_network_transmit_errs_total', DEVICES)}",
                            "错误",
                        ),
                        promql(rate("node_netstat_Tcp_RetransSegs"), "TCP 重传"),
                    ),
                ],
            ),
        ],
    )
