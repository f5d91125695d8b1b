"""Processes of a node in pods of their own: made, spoken with, watched and removed by the node's own pod.

The pod of the node makes a headless service and an Indexed Job (or a TrainJob of Kubeflow Trainer). In
each of the Job's pods an agent (`python -m penstock.pods`) calls the node's pod, and starts processes when
it is told to. Whoever started them sees them as processes: `PodHosts` is a `Hosts`.
"""
