package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// longestCommand bounds a line on the control socket.
const longestCommand = 1024

// serveControl answers commands on a Unix socket, one a line, with "ok" or why
// not, until it is closed or ctx ends; the socket's file goes with it.
func serveControl(ctx context.Context, path string, do func(string) error) (io.Closer, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
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
	return l, nil
}

// removeStale removes a socket left behind by a run that was killed. It
// touches nothing else.
func removeStale(path string) error {
	st, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if st.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is in the way: it is not a socket; choose another name with -ctl", path)
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		c.Close()
		return fmt.Errorf("%s is in use by another run; end that, or choose another name with -ctl", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
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
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		fmt.Fprintf(c, "error: the command is longer than %d bytes\n", longestCommand)
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

// sendControl sends one command and returns the answer's line.
func sendControl(path, command string) (reply string, err error) {
	if strings.ContainsAny(command, "\r\n") {
		return "", errors.New("a command is one line")
	}
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
	if err != nil {
		return "", fmt.Errorf("the running image did not answer: %w", err)
	}
	return strings.TrimSpace(line), nil
}
