"""What can go wrong between here and Kubeflow's API server, by what one does about it.

KubeflowError
├── NotConfigured       say where Kubeflow is
├── NotReachable        check the address, the network, the port-forward; try again
├── NotAuthenticated    log in again, give a token or a cookie
├── NotAllowed          ask for the right, or name another namespace
├── UnknownOnServer     correct the name
├── NameTaken           choose another name
├── Busy                try again later (429, 503)
├── Refused             correct what was sent
└── ServerFault         look into the server's log (500)
"""

from __future__ import annotations


class KubeflowError(RuntimeError):
    """Kubeflow did not do what was asked."""


class NotConfigured(KubeflowError):
    """It is not known where Kubeflow is."""


class NotReachable(KubeflowError):
    """There was no answer, or it broke off."""


class NotAuthenticated(KubeflowError):
    """It does not know who is asking (401), or wants a login."""


class NotAllowed(KubeflowError):
    """It knows who is asking and refuses it (403)."""


class UnknownOnServer(KubeflowError):
    """What was named does not exist there (404)."""


class NameTaken(KubeflowError):
    """There is something else of that name (409)."""


class Busy(KubeflowError):
    """It had no time for the request, also after waiting (429, 503)."""


class Refused(KubeflowError):
    """It found something wrong in the request (400 and the like)."""


class ServerFault(KubeflowError):
    """It failed itself (500)."""
