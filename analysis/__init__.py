"""The learning side: recorded history becomes findings and a recommended policy."""
