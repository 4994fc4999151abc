"""The saved objects of Kibana, made by code: `python -m kibana.source` writes kibana/saved-objects/."""
