package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// longestCommand bounds a line on the control socket.
const longestCommand = 1024

// serveControl answers commands on a Unix socket, one a line, with "ok" or why
// not, until ctx ends.
func serveControl(ctx context.Context, path string, do func(string) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	// A socket left behind by a run that was killed answers nobody.
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return fmt.Errorf("%s is in use by another run", path)
	} else if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go answer(ctx, c, do)
		}
	}()
	return nil
}

func answer(ctx context.Context, c net.Conn, do func(string) error) {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	lines := bufio.NewScanner(c)
	lines.Buffer(make([]byte, 0, longestCommand), longestCommand)
	for lines.Scan() {
		reply := "ok"
		if err := do(lines.Text()); err != nil {
			reply = "error: " + strings.ReplaceAll(err.Error(), "\n", "; ")
		}
		if _, err := io.WriteString(c, reply+"\n"); err != nil {
			return
		}
	}
}

func ctlCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("image ctl", flag.ContinueOnError)
	path := flags.String("ctl", ".run/ctl", "the control socket of the running image")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("nothing to send; write for example: gps off")
	}
	reply, err := sendControl(*path, strings.Join(flags.Args(), " "))
	if err != nil {
		return err
	}
	if reply != "ok" {
		return errors.New(strings.TrimPrefix(reply, "error: "))
	}
	fmt.Println(reply)
	return nil
}

func sendControl(path, command string) (reply string, err error) {
	c, err := net.DialTimeout("unix", path, 5*time.Second)
	if err != nil {
		return "", fmt.Errorf("%w; is an image running? (make run)", err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := fmt.Fprintln(c, command); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	return strings.TrimSpace(line), err
}
