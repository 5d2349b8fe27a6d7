"""The application on AWS: plan, price, deploy, watch, destroy.

Two stacks of CloudFormation: ``bootstrap`` holds what must be there before the application (artefacts, the
container's repository and its build), ``app`` the application. Nothing about a stack is kept on this machine: what
there is, AWS says.
"""
