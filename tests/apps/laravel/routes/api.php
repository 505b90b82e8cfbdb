<?php

use App\Http\Controllers\RecipeController;
use Illuminate\Support\Facades\Route;

Route::get('/recipes/{recipe}', [RecipeController::class, 'json']);
Route::patch('/recipes/{recipe}', [RecipeController::class, 'change']);
Route::delete('/recipes/{recipe}', [RecipeController::class, 'destroy']);
