#!/bin/sh
# What dhclient calls with a lease: the address goes onto the interface (dhclient-script(8)).

case "${reason:?}" in
    BOUND | RENEW | REBIND | REBOOT)
        ip address flush dev "${interface:?}"
        ip address add "${new_ip_address:?}/${new_subnet_mask:-255.255.255.0}" dev "$interface"
        for router in ${new_routers:-}; do
            ip route replace default via "$router" dev "$interface" && break
        done
        ;;
    PREINIT)
        ip link set "${interface:?}" up
        ;;
esac
