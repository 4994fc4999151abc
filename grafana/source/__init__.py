"""Dashboards as code: `python -m grafana.source` writes grafana/dashboards/*.json, which Grafana reads.

One module a dashboard, built with Grafana's own library. Titles and descriptions are Chinese: operators read them.
"""
