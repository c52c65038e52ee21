package probe

import "syscall"

// hostIsolated is what Linux makes of the ICMP message that says so (3/8).
const hostIsolated = syscall.ENONET
