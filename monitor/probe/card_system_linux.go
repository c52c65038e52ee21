package probe

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// stampsByCard is what ethtool has to say of an interface.
const stampsByCard = unix.SOF_TIMESTAMPING_TX_HARDWARE | unix.SOF_TIMESTAMPING_RX_HARDWARE | unix.SOF_TIMESTAMPING_RAW_HARDWARE

// openSystemCard has an interface of the machine stamp every packet it receives.
// What is set there already is left as it is if it will do.
func openSystemCard(name string) (int32, cardClock, error) {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return 0, nil, errors.New("there is no such interface")
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, nil, os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	info, err := unix.IoctlGetEthtoolTsInfo(fd, name)
	if err != nil {
		return 0, nil, fmt.Errorf("it does not say what it can stamp: %w", err)
	}
	if err := canStamp(info); err != nil {
		return 0, nil, err
	}
	var is *unix.HwTstampConfig
	if is, err = unix.IoctlGetHwTstamp(fd, name); err != nil {
		is = nil
	}
	set, err := stampConfig(info, is)
	if err != nil {
		return 0, nil, err
	}
	if set != nil {
		err := unix.IoctlSetHwTstamp(fd, name, set)
		switch {
		case errors.Is(err, unix.EPERM):
			return 0, nil, errors.New("to have it stamp packets takes CAP_NET_ADMIN")
		case err != nil:
			return 0, nil, fmt.Errorf("it cannot be had to stamp packets: %w", err)
		case !stampsNTP(set):
			return 0, nil, errors.New("it stamps other packets than it was told to")
		}
	}
	clock, err := openSystemClock(fmt.Sprintf("/dev/ptp%d", info.Phc_index), name)
	if err != nil {
		return 0, nil, err
	}
	return int32(ifi.Index), clock, nil
}

// canStamp says what an interface lacks.
func canStamp(info *unix.EthtoolTsInfo) error {
	switch {
	case info.So_timestamping&stampsByCard != stampsByCard || info.Tx_types&(1<<unix.HWTSTAMP_TX_ON) == 0:
		return errors.New("it does not stamp packets")
	case info.Phc_index < 0:
		return errors.New("it has no clock")
	case info.Rx_filters&(1<<unix.HWTSTAMP_FILTER_ALL|1<<unix.HWTSTAMP_FILTER_NTP_ALL) == 0:
		return errors.New("it stamps packets of PTP only")
	}
	return nil
}

func stampsNTP(c *unix.HwTstampConfig) bool {
	return c.Tx_type == unix.HWTSTAMP_TX_ON && (c.Rx_filter == unix.HWTSTAMP_FILTER_ALL || c.Rx_filter == unix.HWTSTAMP_FILTER_NTP_ALL)
}

// stampConfig is what to set where is is set, nil if that cannot be told; nothing if
// it will do. What somebody else needs, such as a daemon of PTP, stays: all that was
// stamped still is, and nothing is stamped otherwise.
func stampConfig(info *unix.EthtoolTsInfo, is *unix.HwTstampConfig) (*unix.HwTstampConfig, error) {
	all := info.Rx_filters&(1<<unix.HWTSTAMP_FILTER_ALL) != 0
	switch {
	case is != nil && stampsNTP(is):
		return nil, nil
	case is != nil && is.Tx_type != unix.HWTSTAMP_TX_OFF && is.Tx_type != unix.HWTSTAMP_TX_ON:
		return nil, errors.New("somebody else has it write its stamps into packets of PTP")
	case !all && is == nil:
		return nil, errors.New("it does not say what somebody else has it stamp, and that might be lost")
	case !all && is.Rx_filter != unix.HWTSTAMP_FILTER_NONE:
		return nil, errors.New("somebody else has it stamp other packets, and it cannot stamp both")
	}
	set := &unix.HwTstampConfig{Tx_type: unix.HWTSTAMP_TX_ON, Rx_filter: unix.HWTSTAMP_FILTER_NTP_ALL}
	if all {
		set.Rx_filter = unix.HWTSTAMP_FILTER_ALL
	}
	return set, nil
}

// clockReads is how often a clock is read for a relation; the reading that took
// least counts.
const clockReads = 5

// preciseHalf is half the width of what the card itself relates, ns.
const preciseHalf = 100

// systemCard is a PTP clock of the system's.
type systemCard struct {
	fd   int
	ways []func(fd int) ([]relation, error)
	link string // file with the speed of its link
}

func openSystemClock(path, name string) (*systemCard, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("its clock, %s: %w", path, err)
	}
	s := &systemCard{fd: fd, link: "/sys/class/net/" + name + "/speed", ways: []func(int) ([]relation, error){preciseRelations, extendedRelations, plainRelations}}
	if _, err := s.read(); err != nil {
		s.close()
		return nil, fmt.Errorf("its clock, %s, cannot be read: %w", path, err)
	}
	return s, nil
}

func (s *systemCard) close() { unix.Close(s.fd) }

func (s *systemCard) speed() int64 {
	b, err := os.ReadFile(s.link)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 32)
	return max(n, 0)
}

// read reads the clock in the best way there is. Which that is does not change.
func (s *systemCard) read() (relation, error) {
	for {
		list, err := s.ways[0](s.fd)
		if err == nil {
			return narrowest(list)
		}
		if len(s.ways) == 1 || !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.ENOTTY) && !errors.Is(err, unix.EINVAL) {
			return relation{}, err
		}
		s.ways = s.ways[1:]
	}
}

// narrowest is the reading that took least.
func narrowest(list []relation) (relation, error) {
	best := relation{half: math.MaxInt64}
	for _, r := range list {
		if r.half >= 0 && r.half < best.half {
			best = r
		}
	}
	if best.at == 0 {
		return relation{}, errors.New("the system's clock was set meanwhile")
	}
	return best, nil
}

func clockTime(t unix.PtpClockTime) int64 { return t.Sec*1e9 + int64(t.Nsec) }

// relate makes a relation of the card's time and the system's before and after.
func relate(before, card, after unix.PtpClockTime) relation {
	width := clockTime(after) - clockTime(before)
	at := clockTime(before) + width/2
	return relation{at: at, ahead: clockTime(card) - at, half: (width + 1) / 2}
}

func preciseRelations(fd int) ([]relation, error) {
	p, err := unix.IoctlPtpSysOffsetPrecise(fd)
	if err != nil {
		return nil, err
	}
	r := relate(p.Realtime, p.Device, p.Realtime)
	r.half = preciseHalf
	return []relation{r}, nil
}

func extendedRelations(fd int) ([]relation, error) {
	x, err := unix.IoctlPtpSysOffsetExtended(fd, clockReads)
	if err != nil {
		return nil, err
	}
	list := make([]relation, 0, clockReads)
	for _, ts := range x.Ts[:clockReads] {
		list = append(list, relate(ts[0], ts[1], ts[2]))
	}
	return list, nil
}

func plainRelations(fd int) ([]relation, error) {
	x := unix.PtpSysOffset{Samples: clockReads}
	if _, _, no := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.PTP_SYS_OFFSET, uintptr(unsafe.Pointer(&x))); no != 0 {
		return nil, no
	}
	list := make([]relation, 0, clockReads)
	for i := range clockReads {
		list = append(list, relate(x.Ts[2*i], x.Ts[2*i+1], x.Ts[2*i+2]))
	}
	return list, nil
}
