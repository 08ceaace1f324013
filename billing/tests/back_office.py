"""Presses the buttons of the back office as a browser would: first the page, then its form."""

import re


def open_page(client, address):
    """Open the page of a button; return the hidden name of this showing."""
    answer = client.get(address)
    assert answer.status_code == 200
    assert 'type="submit"  name="_submit" value="1"' in answer.text
    return re.search(r'name="page" value="([0-9a-f-]{36})"', answer.text).group(1)


def press(client, address, **values):
    """Open the page of a button, fill it in, and go where it leads."""
    page = values.pop("page", None) or open_page(client, address)
    return client.post(address, {"_submit": "1", "page": page, **values}, follow=True)


def told(answer):
    return [str(message) for message in answer.context["messages"]]


def errors_of(answer):
    return answer.context["form"].errors


def values_of(client, address):
    """What a browser would send back from a form that nobody has touched."""
    context = client.get(address).context
    formsets = [inline.formset.management_form for inline in context["inline_admin_formsets"]]
    return {
        form.add_prefix(name): form[name].value()
        for form in (context["adminform"].form, *formsets)
        for name in form.fields
        if form[name].value() is not None
    }
