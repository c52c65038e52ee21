// Command appliance is the station: it takes time from its own receiver,
// probes the NTP servers assigned to it, judges them, and shows all of it on a
// web page. It is what a truechimer image boots; it also runs as an ordinary
// process, observing instead of steering the clock.
//
//	appliance [-config FILE] [-http ADDR] [-https ADDR] [-journal DIR] [-keep DIR]
//	appliance -sim    with a simulated receiver and simulated servers
//	appliance tuf     the update's TUF client, to try it on any repository
//	appliance gps     what a receiver said, from a recording
//	appliance password  the hash of a password, for truechimer.toml
//	appliance judge   what files prove in which stations say why a server is off
//	appliance probe   what NTP servers answer
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/truechimer/truechimer/appliance/byhand"
	"github.com/truechimer/truechimer/appliance/logring"
	"github.com/truechimer/truechimer/appliance/screen"
)

// version is set by the image's build.
var version = "development"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends it at once
	err := logic(ctx, os.Args[1:])
	if errors.Is(err, errAnew) {
		err = beginAnew()
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		if !errors.Is(err, byhand.ErrNotOK) {
			fmt.Fprintf(os.Stderr, "appliance: %v\n", err)
		}
		os.Exit(exitOf(err))
	}
}

func logic(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "tuf" {
		return runTUF(ctx, args[1:])
	}
	if len(args) > 0 && args[0] == "gps" {
		return runGPS(args[1:], os.Stdin, os.Stdout)
	}
	if len(args) > 0 && args[0] == "password" {
		return runPassword(args[1:], os.Stdin, os.Stdout)
	}
	if len(args) > 0 && args[0] == "judge" {
		return runJudge(args[1:], os.Stdout)
	}
	if len(args) > 0 && args[0] == "probe" {
		return runProbe(ctx, args[1:], os.Stdout, os.Stderr)
	}
	flags := flag.NewFlagSet("appliance", flag.ContinueOnError)
	sim := flags.Bool("sim", false, "simulate the receiver and six NTP servers; judge them")
	addr := flags.String("http", "", "where to serve the page (default: :80 on a station, 127.0.0.1:8080 elsewhere)")
	secure := flags.String("https", "", "where to serve it over TLS too, to change something (default: :443 on a station; elsewhere 127.0.0.1:8443, or nowhere with -http alone)")
	keep := flags.String("keep", "", "a directory to keep the owner's password, the page's certificate and what is changed on the page in (a station keeps them on its card)")
	file := flags.String("config", "", "a truechimer.toml (a station reads the one on its card)")
	journal := flags.String("journal", "", "a directory to keep every exchange in (a station keeps them on its card)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q means nothing here; write appliance -help", flags.Arg(0))
	}
	if *sim && *file != "" {
		return errors.New("-sim makes up its own servers: leave out -sim or -config")
	}
	p, err := detectPlatform()
	if err != nil {
		return err
	}
	p.lines = &logring.Ring{}
	writer := io.MultiWriter(logWriter(p), p.lines)
	log := newLog(writer, time.Local)
	if *addr != "" {
		p.listen = *addr
	}
	p.journal, p.keep = *journal, *keep
	if !p.station {
		p.settings = *keep
	}
	p.secureAt(*addr, *secure)
	if *sim {
		return runSimulated(ctx, p, log)
	}
	conf, notices, err := p.loadConfig(*file)
	if err != nil {
		return err
	}
	zone, notice := zoneOf(conf)
	if notice != "" {
		notices = append(notices, notice)
	}
	log = newLog(writer, zone)
	for _, n := range notices {
		log.Warn(n)
	}
	if *addr == "" && !p.station {
		if l := conf.Web.Listen; l != "" {
			p.listen = l
		}
		p.secureAt(conf.Web.Listen, conf.Web.Secure)
	}
	p.secureAt("", *secure)
	return run(ctx, p, conf, notices, newHardware(conf, p.board), log)
}

// logWriter is where the log goes: on a station also to the console, since
// gokrazy keeps only the last hundred lines of what a process prints.
func logWriter(p *platform) io.Writer {
	if !p.station {
		return os.Stderr
	}
	screen.ShowLog()
	console, err := os.OpenFile("/dev/console", os.O_WRONLY, 0)
	if err != nil {
		return os.Stderr
	}
	return io.MultiWriter(os.Stderr, console)
}
