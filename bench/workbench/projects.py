"""The tools over the project's tasks."""

from __future__ import annotations

from bench.workbench.rows import Refused, find, matching, next_id, one_field, put, remove
from bench.workbench.world import Row, World

LISTS = ("Backlog", "In Progress", "In Review", "Completed")
BOARDS = ("Back end", "Front end", "Design")


def get_task_information_by_id(
    world: World, task_id: str | None = None, field: str | None = None
) -> Row:
    """Look up one field of a task whose id is known.

    Args:
        task_id: The task's id, exactly.
        field: task_id, task_name, assigned_to_email, list_name, due_date or board.
    """
    if not task_id:
        raise Refused("Task ID not provided.")
    if not field:
        raise Refused("Field not provided.")
    return one_field(find(world.tasks, "task_id", task_id, "Task not found."), field)


def search_tasks(
    world: World,
    task_name: str | None = None,
    assigned_to_email: str | None = None,
    list_name: str | None = None,
    due_date: str | None = None,
    board: str | None = None,
) -> list[Row]:
    """List all tasks that match every given text or regular expression; case is ignored.

    Args:
        task_name: To find in the title.
        assigned_to_email: To find in the assignee's address.
        list_name: To find in the list's name.
        due_date: To find in the due date as text: YYYY-MM-DD.
        board: To find in the board's name.
    """
    wanted = {
        "task_name": task_name,
        "assigned_to_email": assigned_to_email,
        "list_name": list_name,
        "due_date": due_date,
        "board": board,
    }
    if not any(wanted.values()):
        raise Refused("No search parameters provided.")
    found = world.tasks
    for column, pattern in wanted.items():
        if pattern:
            found = matching(found, column, pattern)
    return [dict(row) for row in found]


def create_task(
    world: World,
    task_name: str | None = None,
    assigned_to_email: str | None = None,
    list_name: str | None = None,
    due_date: str | None = None,
    board: str | None = None,
) -> str:
    """Add a task to a board and return its id.

    Args:
        task_name: Title.
        assigned_to_email: Address of a member of the team.
        list_name: Backlog, In Progress, In Review or Completed.
        due_date: YYYY-MM-DD.
        board: Back end, Front end or Design.
    """
    if not (task_name and assigned_to_email and list_name and due_date and board):
        raise Refused("Missing task details.")
    assignee = assigned_to_email.lower()
    _check_assignee(world, assignee)
    _check_list(list_name)
    _check_board(board)
    task_id = next_id(world.tasks, "task_id")
    world.tasks.append(
        {
            "task_id": task_id,
            "task_name": task_name,
            "assigned_to_email": assignee,
            "list_name": list_name,
            "due_date": due_date,
            "board": board,
        }
    )
    return task_id


def delete_task(world: World, task_id: str | None = None) -> str:
    """Delete a task.

    Args:
        task_id: The task's id, exactly.
    """
    if not task_id:
        raise Refused("Task ID not provided.")
    remove(world.tasks, find(world.tasks, "task_id", task_id, "Task not found."))
    return "Task deleted successfully."


def update_task(
    world: World,
    task_id: str | None = None,
    field: str | None = None,
    new_value: str | None = None,
) -> str:
    """Set one field of a task.

    Args:
        task_id: The task's id, exactly.
        field: task_name, assigned_to_email, list_name, due_date or board.
        new_value: What the field is to hold.
    """
    if not task_id or not field or not new_value:
        raise Refused("Task ID, field, or new value not provided.")
    value = new_value.lower() if field == "assigned_to_email" else new_value
    if field == "board":
        _check_board(value)
    elif field == "list_name":
        _check_list(value)
    elif field == "assigned_to_email":
        _check_assignee(world, value)
    row = find(world.tasks, "task_id", task_id, "Task not found.")
    if field not in row:
        raise Refused("Field not valid.")
    put(world.tasks, row, field, value)
    return "Task updated successfully."


def _check_assignee(world: World, address: str) -> None:
    if all(row["assigned_to_email"] != address for row in world.tasks):
        raise Refused("Assignee email not valid. Please choose from the list of team members.")


def _check_list(name: str) -> None:
    if name not in LISTS:
        raise Refused(f"List not valid. Please choose from: {', '.join(map(repr, LISTS))}.")


def _check_board(name: str) -> None:
    if name not in BOARDS:
        raise Refused(f"Board not valid. Please choose from: {', '.join(map(repr, BOARDS))}.")


READS = (get_task_information_by_id, search_tasks)
WRITES = (create_task, delete_task, update_task)
