"""The functions of the workflow. Each runs as an AWS Lambda handler and, with the same events, in this process.

``serialize_image`` → ``classify_image`` → ``filter_inferences`` → ``route_driver``. A module imports only
what its function needs, so that its package stays small and starts fast.
"""
