// Command wifiguest is what TestWifi runs inside an image with two emulated
// radios (mac80211_hwsim): it makes the second one an access point, in a network
// namespace of its own, with a DHCP server behind it, and asks the station that
// has joined for its page over the air.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"github.com/mdlayher/wifi"
	"golang.org/x/sys/unix"
)

// child is set in the process that is the access point.
const child = "WIFIGUEST_ACCESS_POINT"

const (
	ssid    = "Attic über uns" // as in TestWifi's truechimer.toml
	station = "192.0.2.77"     // what the DHCP server leases
	wait    = 60               // seconds
)

func main() {
	console, err := os.OpenFile("/dev/console", os.O_WRONLY, 0)
	if err != nil {
		console = os.Stderr
	}
	say := func(format string, args ...any) { fmt.Fprintf(console, "guest: "+format+"\n", args...) }
	work := parent
	if os.Getenv(child) != "" {
		work = accessPoint
	}
	if err := work(say); err != nil {
		say("failed: %v", err)
	}
	os.Exit(125) // gokrazy does not start it again
}

// parent starts the access point and gives it the second radio.
func parent(say func(string, ...any)) error {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), child+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := cmd.Start(); err != nil {
		return err
	}
	radio, err := lastRadio(2)
	if err != nil {
		return err
	}
	k, err := dial()
	if err != nil {
		return err
	}
	if err := k.tell(unix.NL80211_CMD_SET_WIPHY_NETNS, func(ae *netlink.AttributeEncoder) {
		ae.Uint32(unix.NL80211_ATTR_WIPHY, uint32(radio.PHY))
		ae.Uint32(unix.NL80211_ATTR_PID, uint32(cmd.Process.Pid))
	}); err != nil {
		return fmt.Errorf("moving %s: %w", radio.Name, err)
	}
	say("the radio of %s is the access point's", radio.Name)
	return cmd.Wait()
}

// lastRadio waits until there are n radios and gives the last one.
func lastRadio(n int) (*wifi.Interface, error) {
	var list []*wifi.Interface
	for range wait {
		if c, err := wifi.New(); err == nil {
			list, _ = c.Interfaces()
			c.Close()
		}
		var last *wifi.Interface
		for _, i := range list {
			if last == nil || i.Index > last.Index {
				last = i
			}
		}
		if len(list) >= n {
			return last, nil
		}
		time.Sleep(time.Second)
	}
	return nil, fmt.Errorf("%d radios are there, %d are expected", len(list), n)
}

// accessPoint serves the one station that is expected, and looks at it.
func accessPoint(say func(string, ...any)) error {
	radio, err := lastRadio(1)
	if err != nil {
		return err
	}
	failed := make(chan error, 3)
	ap, err := startAP(radio, say)
	if err != nil {
		return err
	}
	say("%s is open as %q", radio.Name, ssid)
	go func() { failed <- ap.serve() }()
	go func() { failed <- serveDHCP(radio.Name, say) }()
	go func() {
		if err := look(ap, say); err != nil {
			failed <- err
		}
	}()
	return <-failed // else the access point stays
}

// look asks for the page over the air, sends the station away, and asks again
// when it has come back; then for the rules that hold here.
func look(a *ap, say func(string, ...any)) error {
	for n := 1; n <= 2; n++ {
		who := <-a.members
		if err := page(n, say); err != nil {
			return err
		}
		if n == 1 {
			if err := a.dismiss(who); err != nil {
				return fmt.Errorf("sending the station away: %w", err)
			}
			say("%s is sent away", who)
		}
	}
	c, err := wifi.New()
	if err != nil {
		return err
	}
	defer c.Close()
	rules, err := c.GetRegulatoryDomain()
	if err != nil {
		return err
	}
	say("rules of %s", rules.Region)
	return nil
}

// page asks for the page until it comes.
func page(n int, say func(string, ...any)) error {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	var err error
	for range wait {
		var resp *http.Response
		if resp, err = get(client); err == nil {
			b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
			resp.Body.Close()
			say("page over Wi-Fi, %d: %s, %d bytes", n, resp.Status, len(b))
			return nil
		}
		time.Sleep(time.Second)
	}
	return fmt.Errorf("page over Wi-Fi: %w", err)
}

func get(client *http.Client) (*http.Response, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+station+"/api/v1/status", nil)
	if err != nil {
		return nil, err
	}
	return client.Do(req)
}

// kernel is a connection to nl80211.
type kernel struct {
	*genetlink.Conn
	family genetlink.Family
}

func dial() (*kernel, error) {
	c, err := genetlink.Dial(nil)
	if err != nil {
		return nil, err
	}
	family, err := c.GetFamily(unix.NL80211_GENL_NAME)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return &kernel{c, family}, nil
}

func (k *kernel) tell(command uint8, with func(*netlink.AttributeEncoder)) error {
	return k.send(command, netlink.Acknowledge, with)
}

func (k *kernel) send(command uint8, flags netlink.HeaderFlags, with func(*netlink.AttributeEncoder)) error {
	ae := netlink.NewAttributeEncoder()
	with(ae)
	b, err := ae.Encode()
	if err != nil {
		return err
	}
	_, err = k.Execute(genetlink.Message{Header: genetlink.Header{Command: command, Version: k.family.Version}, Data: b}, k.family.ID, netlink.Request|flags)
	return err
}
