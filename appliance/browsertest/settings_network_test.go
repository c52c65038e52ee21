//go:build browser

package browsertest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/truechimer/truechimer/appliance/status"
)

// TestNetworkChanged changes the network of a device on its page, from the far end of
// its cable: to an address that nobody can reach, to a fixed one, and back to DHCP.
func TestNetworkChanged(t *testing.T) {
	t.Parallel()
	const fixed, wrong = "192.168.77.9", "10.99.0.9"
	d := newDevice(t)
	chromium := d.c.servers.chromium()
	b, watched := visit(t, chromium), visit(t, chromium)
	d.at(leased(77))
	b.enterSecurely(d.station, "/claim")
	b.claim()
	for _, where := range []string{"/settings/network", "/settings/update"} { // others have no such pages
		b.visit(d.secure + where)
		b.accessible(where)
	}
	b.visit(d.secure + "/settings/network")
	b.says(patience, "Now the station has "+leased(77)+"/24, the router "+serverAddress+".")

	// An address that nobody can reach goes back by itself, and the page says why.
	watched.watch(d.plain + "/details")
	b.network(d, map[string]string{"IPv4 address": wrong + "/24"})
	b.press("Try it")
	b.heading(onTrial)
	d.lost()
	b.accessible("/settings/trial", "meta-refresh") // when it loads again, what it asks is void
	b.says(2*time.Minute, "Nobody said within a minute that the station can be reached, so the network is as it was before.")
	watched.goesOn()

	// A fixed address: the page says where to look, and stays there while nobody answers.
	b.network(d, map[string]string{"IPv4 address": fixed + "/24", "IPv4 router": serverAddress})
	b.says(patience, "Look for it at https://"+fixed+".")
	b.accessible("/settings/change")
	b.press("Try it")
	b.heading(onTrial)
	d.at(fixed)
	if d.answers(leased(77)) {
		t.Error("the device answers at the address from before, too")
	}
	b.press(d.secure)
	b.trust(d.station)
	b.heading(onTrial)
	b.press("It stays")
	b.says(patience, "the new network stays")

	// The program starts anew: it has kept the address, and a page that is open goes on.
	watched.watch(d.plain + "/details")
	d.stop()
	watched.says(time.Minute, cannotReach)
	d.boot()
	d.at(fixed)
	watched.goesOn()

	b.returnTo(d.station, "/settings")
	b.logIn()

	// DHCP again. The browser cannot look names up; a person would follow the link.
	b.network(d, map[string]string{"IPv4 address": "", "IPv4 router": ""})
	b.says(patience, "Look for it at https://"+deviceName+".local.")
	b.press("Try it")
	b.heading(onTrial)
	asks := strings.TrimPrefix(call(b, "where the trial is", chromedp.Location()), d.secure)
	d.at(leased(77))
	b.returnTo(d.station, asks)
	b.press("It stays")
	b.says(patience, "the new network stays")
	d.noBlame()
}

// TestNetworkGoneAndBack watches a device from the far end of its cable while that is
// out, while no server grants it an address, and in another net.
func TestNetworkGoneAndBack(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	watched := visit(t, d.c.servers.chromium("TZ="+kathmandu))
	d.at(leased(77))
	watched.watch(d.plain + "/details")
	watched.timesHere(kathmandu)
	watched.allServers(2*time.Minute, "ok")

	d.c.pull()
	watched.says(time.Minute, cannotReach+" What it shows was so at 20")
	d.judgesNobody()
	d.c.plug()
	watched.goesOn()
	watched.allServers(time.Minute, "ok")

	d.dhcp.silent.Store(true)
	d.c.pull()
	watched.says(time.Minute, "the station may have another address")
	d.c.servers.up("cable", "192.168.78.1/24")
	d.c.plug()
	d.dhcp.net.Store(78)
	d.dhcp.silent.Store(false)
	d.at(leased(78))
	watched.watch(d.plain + "/details")
	watched.allServers(time.Minute, "ok")
	d.noBlame()
}

// cannotReach is what a page says that hears nothing any more.
const cannotReach = "This page cannot reach the station."

const onTrial = "A new network, on trial"

// network fills in the form of the network, and looks at the change.
func (b *browser) network(d *device, fields map[string]string) {
	b.t.Helper()
	b.returnTo(d.station, "/settings/network")
	b.heading("Network")
	for label, text := range fields {
		b.fill(label, text)
	}
	b.press("Look at the change")
	b.heading("Is this what you want?")
}

// watch opens a page and leaves a mark in it, which is gone if it is loaded anew.
func (b *browser) watch(address string) {
	b.t.Helper()
	b.visit(address)
	b.do("mark the page", chromedp.Evaluate[chromedp.Void](`document.body.dataset.mark = 'stays'`))
	b.goesOn()
}

// goesOn waits until the page that is watched shows values as they change, and fails
// the test if it was loaded anew for that.
func (b *browser) goesOn() {
	b.t.Helper()
	b.until(time.Minute, `!document.querySelector('.away')`)
	then := call(b, "time", chromedp.Text(chromedp.CSS(".asof time")))
	b.until(patience, fmt.Sprintf(`document.querySelector('.asof time').innerText !== %q`, then))
	if v, err := b.evaluate(`document.body.dataset.mark`); err != nil || v != "stays" {
		b.t.Errorf("the page was loaded anew: %q, %v", v, err)
	}
	b.forgive("net::ERR_") // of events that did not come
}

// answers says whether the device's page answers at an address.
func (d *device) answers(address string) (is bool) {
	d.c.servers.in(func() error {
		c, err := net.DialTimeout("tcp", net.JoinHostPort(address, "443"), time.Second)
		if is = err == nil; is {
			c.Close()
		}
		return nil
	})
	return is
}

// at waits until the device is at an address.
func (d *device) at(address string) {
	d.t.Helper()
	d.plain, d.secure = "http://"+address, "https://"+address
	for range time.Minute / look {
		if d.answers(address) {
			return
		}
		time.Sleep(look)
	}
	d.t.Fatalf("the device is not at %s", address)
}

// lost waits until it answers no more where it was.
func (d *device) lost() {
	d.t.Helper()
	where := strings.TrimPrefix(d.plain, "http://")
	for range time.Minute / look {
		if !d.answers(where) {
			return
		}
		time.Sleep(look)
	}
	d.t.Fatalf("the device still is at %s", where)
}

// judgesNobody waits until the device says, where it is itself, that it judges none of
// its servers, and why.
func (d *device) judgesNobody() {
	d.t.Helper()
	for range time.Minute / look {
		s := d.status()
		judged := 0
		for _, server := range s.Servers {
			if server.Verdict != "not_judged" || !strings.Contains(server.Reason, "this station") {
				judged++
			}
		}
		if len(s.Servers) == servers && judged == 0 {
			return
		}
		time.Sleep(look)
	}
	d.t.Fatalf("without a cable: %+v", d.status().Servers)
}

// status asks the device's API from inside of it.
func (d *device) status() (s status.Status) {
	d.t.Helper()
	var c net.Conn
	d.c.station.in(func() (err error) {
		c, err = net.Dial("tcp", "127.0.0.1:80")
		return err
	})
	defer c.Close()
	r, err := http.NewRequest("GET", "http://127.0.0.1/api/v1/status", nil)
	if err == nil {
		err = r.Write(c)
	}
	d.c.station.must(err)
	resp, err := http.ReadResponse(bufio.NewReader(c), r)
	d.c.station.must(err)
	defer resp.Body.Close()
	d.c.station.must(json.NewDecoder(resp.Body).Decode(&s))
	return s
}
