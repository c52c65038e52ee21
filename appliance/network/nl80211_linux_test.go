package network

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/genetlink/genltest"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const (
	testFamily  = 0x1c
	testVersion = 1
	testIndex   = 3
)

// attr is an attribute as the kernel sees it: length, kind, value, padding.
func attr(kind uint16, value string) string {
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	return string(b) + value + strings.Repeat("\x00", (4-len(value)%4)%4)
}

func u16(n uint16) string { return string(binary.NativeEndian.AppendUint16(nil, n)) }
func u32(n uint32) string { return string(binary.NativeEndian.AppendUint32(nil, n)) }

var onTestLink = attr(unix.NL80211_ATTR_IFINDEX, u32(testIndex))

// request is what is to be asked, and answers what the kernel says to it.
type request struct {
	command uint8
	flags   netlink.HeaderFlags
	data    string
	answers []string
}

// talking is a conversation with a kernel that expects requests, and sends notices.
func talking(t *testing.T, requests []request, notices ...genetlink.Message) *conversation {
	t.Helper()
	n := 0
	commands := genltest.Dial(func(greq genetlink.Message, nreq netlink.Message) ([]genetlink.Message, error) {
		if nreq.Header.Type == 0 && len(nreq.Data) == 0 {
			return nil, io.EOF // nothing further of a multi-part answer
		}
		if n >= len(requests) {
			t.Fatalf("a further request %+v", greq)
		}
		want := requests[n]
		n++
		if greq.Header.Command != want.command || greq.Header.Version != testVersion || nreq.Header.Type != testFamily || nreq.Header.Flags != want.flags {
			t.Errorf("header %+v in %+v, want %+v", greq.Header, nreq.Header, want)
		}
		if string(greq.Data) != want.data {
			t.Errorf("attributes\n%s\nwant\n%s", hex.Dump(greq.Data), hex.Dump([]byte(want.data)))
		}
		var list []genetlink.Message
		for _, a := range want.answers {
			list = append(list, genetlink.Message{Header: greq.Header, Data: []byte(a)})
		}
		if list == nil {
			return nil, io.EOF
		}
		return list, nil
	})
	news := genltest.Dial(func(genetlink.Message, netlink.Message) ([]genetlink.Message, error) {
		if len(notices) == 0 {
			return nil, errors.New("no further notice")
		}
		next := notices[0]
		notices = notices[1:]
		return []genetlink.Message{next}, nil
	})
	c := &conversation{commands: commands, notices: news, family: genetlink.Family{ID: testFamily, Version: testVersion}}
	t.Cleanup(func() {
		c.close()
		if n != len(requests) {
			t.Errorf("%d requests of %d", n, len(requests))
		}
	})
	return c
}

const (
	order = netlink.Request | netlink.Acknowledge
	dump  = netlink.Request | netlink.Dump
)

func notice(command uint8, data string) genetlink.Message {
	return genetlink.Message{Header: genetlink.Header{Command: command, Version: testVersion}, Data: []byte(data)}
}

// askAbility is the request for what a radio can do, with what it says.
func askAbility(features ...string) request {
	answers := []string{attr(unix.NL80211_ATTR_WIPHY, u32(0))}
	for _, f := range features {
		answers = append(answers, attr(unix.NL80211_ATTR_WIPHY, u32(0))+attr(unix.NL80211_ATTR_EXT_FEATURES, f))
	}
	return request{unix.NL80211_CMD_GET_WIPHY, dump, onTestLink + attr(unix.NL80211_ATTR_SPLIT_WIPHY_DUMP, ""), answers}
}

// What is sent for WPA2 is what nl80211.h asks for where
// NL80211_EXT_FEATURE_4WAY_HANDSHAKE_STA_PSK is there: the PMK and the wish.
func TestConnectRequest(t *testing.T) {
	key := bytes.Repeat([]byte{0xa5}, 32)
	c := talking(t, []request{
		askAbility("\xff\x80"), // feature 15
		{unix.NL80211_CMD_CONNECT, order, onTestLink +
			attr(unix.NL80211_ATTR_SSID, "\xff at\x00tic") +
			attr(unix.NL80211_ATTR_AUTH_TYPE, u32(0)) +
			attr(unix.NL80211_ATTR_WPA_VERSIONS, u32(2)) +
			attr(unix.NL80211_ATTR_CIPHER_SUITES_PAIRWISE, u32(0x000fac04)) +
			attr(unix.NL80211_ATTR_CIPHER_SUITE_GROUP, u32(0x000fac04)) +
			attr(unix.NL80211_ATTR_AKM_SUITES, u32(0x000fac02)) +
			attr(unix.NL80211_ATTR_WANT_1X_4WAY_HS, "") +
			attr(unix.NL80211_ATTR_PMK, string(key)), nil},
	})
	if err := c.connect(testIndex, "\xff at\x00tic", key); err != nil {
		t.Error(err)
	}
}

func TestRadioThatLeavesKeysToOthers(t *testing.T) {
	for _, features := range [][]string{nil, {""}, {"\xff"}, {"\xff\x7f\xff"}} {
		c := talking(t, []request{askAbility(features...)})
		if err := c.connect(testIndex, "attic", make([]byte, 32)); !errors.Is(err, errUnable) {
			t.Errorf("%q: %v", features, err)
		}
	}
}

func TestStayAwakeRequest(t *testing.T) {
	c := talking(t, []request{{unix.NL80211_CMD_SET_POWER_SAVE, order, onTestLink + attr(unix.NL80211_ATTR_PS_STATE, u32(0)), nil}})
	if err := c.stayAwake(testIndex); err != nil {
		t.Error(err)
	}
}

func TestOutcome(t *testing.T) {
	other := attr(unix.NL80211_ATTR_IFINDEX, u32(testIndex+1))
	status := func(n uint16) string { return attr(unix.NL80211_ATTR_STATUS_CODE, u16(n)) }
	reason := func(n uint16) string { return attr(unix.NL80211_ATTR_REASON_CODE, u16(n)) }
	for name, c := range map[string]struct {
		notices []genetlink.Message
		ok      func(error) bool
	}{
		"in": {[]genetlink.Message{
			notice(unix.NL80211_CMD_NEW_STATION, onTestLink),
			notice(unix.NL80211_CMD_CONNECT, other+status(1)),
			notice(unix.NL80211_CMD_CONNECT, onTestLink+status(0)),
		}, func(err error) bool { return err == nil }},
		"refused": {[]genetlink.Message{notice(unix.NL80211_CMD_CONNECT, onTestLink+status(17))},
			func(err error) bool { var r *refusal; return errors.As(err, &r) && r.code == 17 }},
		"no answer": {[]genetlink.Message{notice(unix.NL80211_CMD_CONNECT, onTestLink+status(1)+attr(unix.NL80211_ATTR_TIMED_OUT, ""))},
			func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
		"sent away": {[]genetlink.Message{notice(unix.NL80211_CMD_DISCONNECT, onTestLink+reason(15))},
			func(err error) bool { var r *refusal; return errors.As(err, &r) && r.code == 15 }},
		"away without a reason": {[]genetlink.Message{notice(unix.NL80211_CMD_DISCONNECT, onTestLink)},
			func(err error) bool { var r *refusal; return errors.As(err, &r) && r.code == 0 }},
		"broken": {[]genetlink.Message{notice(unix.NL80211_CMD_CONNECT, onTestLink+"\x02\x00\x00\x00")},
			func(err error) bool { return err != nil }},
	} {
		if err := talking(t, nil, c.notices...).outcome(testIndex); !c.ok(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestScanRequest(t *testing.T) {
	const done = unix.NL80211_CMD_NEW_SCAN_RESULTS
	anyName := attr(1, "")
	nested := uint16(unix.NLA_F_NESTED | unix.NL80211_ATTR_SCAN_SSIDS)
	for _, c := range []struct {
		hidden bool
		names  string
		end    uint8
		want   string
	}{
		{false, anyName, done, ""},
		{true, anyName + attr(2, "attic"), done, ""},
		{false, anyName, unix.NL80211_CMD_SCAN_ABORTED, "aborted"},
	} {
		conv := talking(t, []request{{unix.NL80211_CMD_TRIGGER_SCAN, order, onTestLink + attr(nested, c.names), nil}},
			notice(unix.NL80211_CMD_TRIGGER_SCAN, onTestLink),
			notice(done, attr(unix.NL80211_ATTR_IFINDEX, u32(9))),
			notice(c.end, onTestLink))
		if err := conv.scan(testIndex, "attic", c.hidden); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("hidden %v: %v", c.hidden, err)
		}
	}
}

func TestSees(t *testing.T) {
	bss := func(kind uint16, elements string) string {
		return onTestLink + attr(unix.NLA_F_NESTED|unix.NL80211_ATTR_BSS, attr(unix.NL80211_BSS_FREQUENCY, u32(2412))+attr(kind, elements))
	}
	for name, c := range map[string]struct {
		answers []string
		want    bool
	}{
		"none":       {nil, false},
		"others":     {[]string{bss(unix.NL80211_BSS_INFORMATION_ELEMENTS, "\x00\x04shed")}, false},
		"an answer":  {[]string{bss(unix.NL80211_BSS_INFORMATION_ELEMENTS, "\x00\x04shed"), bss(unix.NL80211_BSS_INFORMATION_ELEMENTS, "\x00\x05attic")}, true},
		"a beacon":   {[]string{bss(unix.NL80211_BSS_BEACON_IES, "\x00\x05attic\x01\x01\x82")}, true},
		"in a field": {[]string{bss(unix.NL80211_BSS_STATUS, "\x00\x05attic")}, false},
	} {
		conv := talking(t, []request{{unix.NL80211_CMD_GET_SCAN, dump, onTestLink, c.answers}})
		if got, err := conv.sees(testIndex, "attic"); err != nil || got != c.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	conv := talking(t, []request{{unix.NL80211_CMD_GET_SCAN, dump, onTestLink, []string{attr(unix.NL80211_ATTR_BSS, "\x01\x00\x00\x00")}}})
	if _, err := conv.sees(testIndex, "attic"); err == nil {
		t.Error("a broken answer is taken")
	}
}
