package truechimer

import (
	_ "github.com/beevik/ntp"
	_ "github.com/diskfs/go-diskfs/filesystem/ext4"
	_ "github.com/gokrazy/firmware"
	_ "github.com/gokrazy/gokrazy"
	_ "github.com/gokrazy/kernel.arm64"
	_ "github.com/gokrazy/kernel.rpi"
	_ "github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	_ "github.com/mdlayher/ndp"
	_ "github.com/mdlayher/vsock"
	_ "github.com/pelletier/go-toml/v2"
	_ "github.com/prometheus/client_golang/prometheus"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/prometheus/client_golang/prometheus/testutil"
	_ "github.com/u-root/u-root/pkg/dt"
	_ "github.com/vishvananda/netlink"
	_ "golang.org/x/net/ipv4"
	_ "golang.org/x/sys/unix"
	_ "periph.io/x/conn/v3/driver/driverreg"
	_ "periph.io/x/conn/v3/gpio/gpiotest"
	_ "periph.io/x/host/v3/gpioioctl"
)
