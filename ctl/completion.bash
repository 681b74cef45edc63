# Completion of waybill(8) in bash.  Static: it asks nobody, least of all a
# database.  tests/test_package.py compares it with `waybill help`.
# shellcheck shell=bash

_waybill() {
    local word=${COMP_WORDS[COMP_CWORD]} last=${COMP_WORDS[COMP_CWORD - 1]}
    local command='' action='' words='' i

    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -c | --config) ((i++)) ;;
        -*) ;;
        *)
            if [[ -z $command ]]; then
                command=${COMP_WORDS[i]}
            elif [[ -z $action ]]; then
                action=${COMP_WORDS[i]}
            fi
            ;;
        esac
    done
    case $last in
    -c | --config | --ca | --nginx)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    --mode) words='test production' ;;
    --scopes) words='read write admin read,write read,write,admin' ;;
    --type) words='shipment tracker address refund' ;;
    --storage) words='ssd disk' ;;
    --name | --before | --since | --until | --days | --url | --memory | --cores | --connections | --rate-limit | --spending-limit | --expires-at)
        return
        ;;
    *)
        case $command${action:+ $action} in
        '') words='migrate key privacy refresh report jobs backfill reconcile rebuild
            spool check status webhook tune config version help -c' ;;
        migrate) words='up down status history verify' ;;
        key) words='create limit list revoke' ;;
        'key create') words='--name --mode --scopes --rate-limit --spending-limit --expires-at' ;;
        'key limit') words='--rate-limit --spending-limit --expires-at' ;;
        privacy*) words='truncate erase --before' ;;
        refresh) words='--since' ;;
        report) words='--days --mode --csv --daily' ;;
        jobs) words='--once list retry' ;;
        'jobs retry') words='all' ;;
        backfill) words='--since --until --type' ;;
        reconcile) words='--days' ;;
        spool) words='list show retry' ;;
        'spool retry') words='all' ;;
        check) words='--quiet --url --ca --nginx' ;;
        status) words='--json' ;;
        webhook) words='register list test new-secret delete' ;;
        'webhook register') words='--mode --ca' ;;
        'webhook list') words='--mode' ;;
        'webhook test') words='--ca' ;;
        tune) words='--memory --cores --connections --storage' ;;
        config*) words='DATABASE_URL EASYPOST_API_KEY EASYPOST_WEBHOOK_SECRET' ;;
        esac
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _waybill waybill
