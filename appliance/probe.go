package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"slices"

	"github.com/truechimer/truechimer/appliance/byhand"
	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/monitor/probe"
)

const probeUsage = `What NTP servers answer, told in full:

  appliance probe HOST[:PORT]... [--count N] [--json] [--watch] [--hardware-timestamps INTERFACE]

Hosts are names, of which the first IPv4 and the first IPv6 address are asked, or
addresses: 192.0.2.1, 192.0.2.1:1123, 2001:db8::1, [2001:db8::1]:1123, fe80::1%eth0.

`

// usageError is a wrong call.
type usageError struct{ error }

// exitOf is what the process ends with after an error.
func exitOf(err error) int {
	if errors.As(err, new(usageError)) {
		return 2
	}
	return 1
}

// runProbe runs the command that args name, flags before or behind the hosts.
func runProbe(ctx context.Context, args []string, out, messages io.Writer) error {
	o := byhand.Options{Resolver: net.DefaultResolver, Clock: byhand.KernelClock, Own: byhand.LocalAddresses}
	flags := flag.NewFlagSet("appliance probe", flag.ContinueOnError)
	flags.SetOutput(messages)
	flags.Usage = func() {
		io.WriteString(flags.Output(), probeUsage)
		flags.PrintDefaults()
	}
	flags.IntVar(&o.Count, "count", byhand.DefaultCount, "how many requests each address gets, at least 2 s apart")
	flags.BoolVar(&o.JSON, "json", false, "print one JSON object for each request")
	flags.BoolVar(&o.Watch, "watch", false, "go on until interrupted")
	var cards []string
	flags.Func("hardware-timestamps", "have the network card of an `INTERFACE` stamp packets; may be given again for others", func(s string) error {
		if !config.IsInterface(s) || len(cards) >= config.MaxHardware || slices.Contains(cards, s) {
			return fmt.Errorf("write the names of %d interfaces at the most, once each", config.MaxHardware)
		}
		cards = append(cards, s)
		return nil
	})
	var words []string
	for rest := args; ; rest = flags.Args()[1:] {
		if err := flags.Parse(rest); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return err
			}
			return usageError{err}
		}
		if flags.NArg() == 0 {
			break
		}
		words = append(words, flags.Arg(0))
	}
	if o.Count < 1 || o.Count > byhand.MaxCount {
		return usageError{fmt.Errorf("--count %d: write 1 to %d", o.Count, byhand.MaxCount)}
	}
	var err error
	if o.Hosts, err = byhand.ParseHosts(words); err != nil {
		return usageError{err}
	}
	p := probe.New(probe.HardwareStamps(cards...))
	defer p.Close()
	for _, s := range p.HardwareProblems() {
		fmt.Fprintf(messages, "%s; the kernel's serve\n", s)
	}
	o.Prober = p
	return byhand.Run(ctx, o, out)
}
