package main

import (
	"fmt"

	"dozo/config"
)

// keepTitle shows the server in the process list as `proc-title-template` says,
// now and whenever what it shows changes. name stands for {title}.
func keepTitle(cfg *config.Config, room titleRoom, name string) {
	if !cfg.Bool(config.SetProcTitle) {
		return
	}
	room.show(processTitle(cfg.Values(), name, cfg.File()))
	shown := []*config.Directive{config.ProcTitleTemplate, config.Bind, config.Port, config.TLSPort}
	cfg.OnChangeOf(shown, func(_, next *config.Values) error {
		room.show(processTitle(next, name, cfg.File()))
		return nil
	})
}

// processTitle is the template filled in. The configuration has checked it.
func processTitle(v *config.Values, name, file string) string {
	title, _ := config.ExpandTitle(v.String(config.ProcTitleTemplate), func(variable string) (string, bool) {
		switch variable {
		case "title":
			return name, true
		case "listen-addr":
			return listenAddress(v), true
		case "port":
			return v.String(config.Port), true
		case "tls-port":
			return v.String(config.TLSPort), true
		case "unixsocket":
			return v.String(config.UnixSocket), true
		case "config-file":
			if file == "" {
				return "-", true
			}
			return file, true
		}
		return "", true // server-mode: neither a cluster nor a sentinel
	})
	return title
}

// listenAddress is the first of the addresses that are listened on.
func listenAddress(v *config.Values) string {
	port := v.Int(config.Port)
	if port == 0 {
		port = v.Int(config.TLSPort)
	}
	if port == 0 {
		return "unixsocket:" + v.String(config.UnixSocket)
	}
	host := "*"
	if bind := v.Bind(); len(bind) > 0 && bind[0] != "" {
		host = bind[0]
	}
	return fmt.Sprintf("%s:%d", host, port)
}
